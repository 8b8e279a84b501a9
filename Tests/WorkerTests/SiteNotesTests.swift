// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
import Testing

@testable import Worker

@Suite struct SiteNotesTests {
    @Test func notesComeBackAsTheyWere() {
        let notes = SiteNotes(
            damage: .init(foundAt: 5, what: "the tree of extents"),
            unreadable: [.init(subvolume: 5, number: 300, offsetBytes: 4096, lengthBytes: 8192)])
        #expect(SiteNotes(decoding: notes.encoded()) == notes)
        #expect(SiteNotes().encoded() == [])
        #expect(SiteNotes(decoding: []) == SiteNotes())
    }

    @Test func whatCannotBeUnderstoodIsTakenForTheWorst() {
        let whole = SiteNotes(damage: .init(foundAt: 5, what: "x")).encoded()
        #expect(SiteNotes(decoding: whole.dropLast().map(\.self)).damage != nil)
        #expect(SiteNotes(decoding: whole + whole).damage != nil)
        #expect(SiteNotes(decoding: [0, 0, 0]).damage != nil)
    }

    private static let uuid = "ea87d037-8df8-4196-8049-9c062c9d9e61"

    private static func line(
        _ device: Int, started: Int = 100, canceled: Int = 0, finished: Int = 1,
        uncorrectable: Int = 0, corrected: Int = 0
    ) -> String {
        "\(uuid):\(device)|data_extents_scrubbed:320|tree_extents_scrubbed:22|read_errors:0"
            + "|csum_errors:0|malloc_errors:0|uncorrectable_errors:\(uncorrectable)"
            + "|corrected_errors:\(corrected)|t_start:\(started)|t_resumed:0|duration:0"
            + "|canceled:\(canceled)|finished:\(finished)\n"
    }

    private func isClean(_ lines: String, devices: [UInt64] = [1]) -> Bool {
        ScrubStatus.isClean(
            "scrub status:1\n" + lines, since: 100, devices: devices, uuid: Self.uuid)
    }

    @Test func aScrubIsCleanWhenEveryDeviceWasReadToItsEndSinceThen() {
        #expect(isClean(Self.line(1)))
        #expect(isClean(Self.line(1, corrected: 3)))
        #expect(isClean(Self.line(1) + Self.line(2), devices: [1, 2]))
        #expect(!isClean(Self.line(1), devices: [1, 2]))
        #expect(!isClean(Self.line(1, started: 99)))
        #expect(!isClean(Self.line(1, canceled: 1)))
        #expect(!isClean(Self.line(1, finished: 0)))
        #expect(!isClean(Self.line(1, uncorrectable: 1)))
        #expect(!isClean(""))
        #expect(!isClean("", devices: []))
        #expect(!isClean(Self.line(1).replacing(Self.uuid, with: "another")))
    }

    @Test func whatCouldNotBeReadHasAName() {
        func words(_ call: String, _ subject: String, _ reason: Errno) -> String? {
            let error = BtrfsError(call, subject, reason)
            return error.isDamagedMetadata ? MetadataGuard.words(error) : nil
        }
        #expect(words("TREE_SEARCH_V2", "tree 7", .ioError) == "the tree of checksums")
        #expect(words("TREE_SEARCH_V2", "tree 2", .structureNeedsCleaning) == "the tree of extents")
        #expect(
            words("TREE_SEARCH_V2", "tree 257", .ioError)
                == "the tree of files of subvolume 257")
        #expect(words("LOGICAL_INO_V2", "extent at 5", .ioError)?.contains("extents") == true)
        #expect(words("read", "the file", .ioError) == nil)
        #expect(words("TREE_SEARCH_V2", "tree 7", .noSuchFileOrDirectory) == nil)
    }
}
