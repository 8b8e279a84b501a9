// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Worker

@Suite struct UpkeepTests {
    private static let day: Int64 = 24 * 3600
    private static let uuid = "01234567-89ab-cdef-0123-456789abcdef"

    /// A line as btrfs(8) writes it.
    private static func line(
        _ device: Int, started: Int64, finished: Int = 1, canceled: Int = 0
    ) -> String {
        "\(uuid):\(device)|data_extents_scrubbed:9|t_start:\(started)|canceled:\(canceled)"
            + "|finished:\(finished)"
    }

    @Test func aScrubCountsWhenItHasEndedOnEveryDevice() {
        let lines = [
            "scrub status:1", Self.line(1, started: 500), Self.line(1, started: 300),
            Self.line(2, started: 400), Self.line(2, started: 900, finished: 0),
            Self.line(3, started: 950, canceled: 1),
        ]
        let text = lines.joined(separator: "\n")
        #expect(ScrubStatus.lastEnded(text, devices: [1], uuid: Self.uuid) == 500)
        #expect(ScrubStatus.lastEnded(text, devices: [1, 2], uuid: Self.uuid) == 400)
        #expect(ScrubStatus.lastEnded(text, devices: [1, 2, 3], uuid: Self.uuid) == nil)
        #expect(ScrubStatus.lastEnded(text, devices: [], uuid: Self.uuid) == nil)
        #expect(ScrubStatus.lastEnded("noise|1:2\n", devices: [1], uuid: Self.uuid) == nil)
    }

    @Test func anOldScrubAndNoneAreNotes() {
        func finding(_ startedAt: Int64?, now: Int64) -> CheckReport.Finding? {
            UpkeepRules.scrub(startedAt: startedAt, now: now, "pool", "/p").first
        }
        #expect(finding(1000, now: 1000 + 90 * Self.day)?.level == .good)
        let old = finding(1000, now: 1000 + 91 * Self.day)
        #expect(old?.level == .note && old?.message == "its last scrub was 91 days ago")
        #expect(old?.command == "btrfs scrub start /p")
        #expect(finding(nil, now: 5)?.level == .note)
        // A clock that was set back, and a number that is none.
        #expect(finding(2000, now: 1000)?.level == .good)
        #expect(finding(.min, now: .max) != nil)
    }

    @Test func quotasThatLookForSharersAreNamed() {
        #expect(UpkeepRules.quotas(nil, "pool", "/p").isEmpty)
        #expect(UpkeepRules.quotas("squota", "pool", "/p").isEmpty)
        #expect(UpkeepRules.quotas("qgroup", "pool", "/p").first?.level == .warning)
    }

    @Test func whatBtrfsIsAtIsSaid() {
        #expect(UpkeepRules.operation(nil, "pool", "/p").isEmpty)
        let balance = UpkeepRules.operation("balance", "pool", "/p").first
        #expect(balance?.level == .note && balance?.command == "btrfs balance status /p")
    }
}
