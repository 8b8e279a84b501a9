// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@Suite struct CallHeaderTests {
    private func header(_ text: String) throws(HeaderError) -> CallHeader {
        try CallHeader(untrusted: text.utf8)
    }

    @Test func aCallWithoutAnArgumentHasAnEmptyOne() throws {
        #expect(
            try header("btrfs.Report+ admin name work")
                == CallHeader(
                    service: "btrfs.Report", argument: "", source: "admin", target: .name("work")))
    }

    @Test func aServiceWithoutAPlusHasAnEmptyArgument() throws {
        let read = try header("btrfs.Report admin name work")
        #expect(read.service == "btrfs.Report")
        #expect(read.argument == "")
    }

    @Test func theArgumentBeginsAtTheFirstPlus() throws {
        #expect(try header("btrfs.Report+a+b admin name work").argument == "a+b")
    }

    @Test func theMachineMayBeAKeyword() throws {
        #expect(
            try header("btrfs.job.List+ admin keyword adminvm").target == .keyword("adminvm"))
    }

    @Test func aTargetMayBeAnIdentifier() throws {
        #expect(
            try header("btrfs.Report+ admin name uuid:0b3c-1").target == .name("uuid:0b3c-1"))
    }

    @Test(arguments: [
        "", "btrfs.Report+", "a b c", "a b name d e", "btrfs.Report+ admin name work ",
    ])
    func anyOtherNumberOfFieldsIsRefused(text: String) {
        let count = text.split(separator: " ", omittingEmptySubsequences: false).count
        #expect(throws: HeaderError.fieldCount(count)) { try header(text) }
    }

    @Test(arguments: [
        (" admin name work", 0), ("a+  name work", 1), ("a+ admin  work", 2), ("a+ admin name ", 3),
    ])
    func anEmptyFieldIsRefused(text: String, index: Int) {
        #expect(throws: HeaderError.emptyField(index)) { try header(text) }
    }

    @Test func aTargetOfAnotherTypeIsRefused() {
        #expect(throws: HeaderError.targetType) { try header("btrfs.Report+ admin tag work") }
    }

    @Test(arguments: 0...3)
    func everyByteOutsideTheCharacterSetIsRefusedInEveryField(index: Int) {
        let allowed = Set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-:".utf8)
        for byte in UInt8.min...UInt8.max where !allowed.contains(byte) && byte != 0x20 {
            var fields: [[UInt8]] = ["btrfs.Report+", "admin", "name", "work"].map {
                Array($0.utf8)
            }
            fields[index].append(byte)
            let bytes = Array(fields.joined(separator: [0x20]))
            #expect(throws: HeaderError.forbiddenByte(index)) { try CallHeader(untrusted: bytes) }
        }
    }

    @Test func whatIsWrittenIsReadAgainWithoutItsNUL() throws {
        let targets: [CallHeader.Target] = [.name("dom0"), .keyword("adminvm")]
        for target in targets {
            let written = CallHeader(
                service: "btrfs.Compress", argument: "private", source: "dom0", target: target)
            let bytes = written.encoded()
            #expect(bytes.last == 0)
            #expect(try CallHeader(untrusted: bytes.dropLast()) == written)
        }
    }

    @Test func theWrittenFormIsQrexecs() {
        let written = CallHeader(
            service: "btrfs.Report", argument: "", source: "dom0", target: .name("work"))
        #expect(written.encoded() == Array("btrfs.Report+ dom0 name work\0".utf8))
    }

    @Test func theLongestCallOfOursFitsTheLimit() {
        let longestName = String(repeating: "q", count: 31)
        for service in ServiceName.allCases {
            let header = CallHeader(
                service: service.rawValue,
                argument: String(repeating: "a", count: Limits.argumentBytes), source: longestName,
                target: .name(longestName))
            #expect(header.encoded().count <= Limits.headerBytes)
        }
    }
}
