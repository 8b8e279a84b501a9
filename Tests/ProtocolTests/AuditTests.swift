// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@Suite struct AuditRecordTests {
    @Test(arguments: [
        ("", "-"), ("-", #""-""#), ("work", "work"), ("a b", #""a b""#), ("a=b", #""a=b""#),
        ("a\nMESSAGE=forged", #""a\nMESSAGE=forged""#), (#"say "hi""#, #""say \"hi\"""#),
        (#"\"#, #""\\""#), ("\u{1b}[2J", #""\x1b[2J""#), ("ä", #""\xc3\xa4""#),
        ("a\0b", #""a\x00b""#),
    ])
    func aValueCannotLeaveItsPlace(value: String, written: String) throws {
        #expect(AuditValue.escaped(value) == written)
        #expect(try AuditValue.read(untrusted: written) == value)
    }

    @Test func aLongValueIsCut() {
        let value = String(repeating: "a", count: AuditValue.limitBytes + 1)
        #expect(AuditValue.escaped(value).utf8.count == AuditValue.limitBytes)
    }

    @Test func quotesAroundNothingAreNothing() throws {
        #expect(try AuditValue.read(untrusted: #""""#) == "")
    }

    @Test(arguments: [
        "a b", "\"", "\"a", #""\""#, #""\q""#, #""\x1""#, #""\x+1""#, "\"a\nb\"", #""a"b""#, "ä",
    ])
    func aValueThatIsNotWrittenLikeThatIsRefused(written: String) {
        #expect(throws: AuditValue.Unreadable.self) {
            try AuditValue.read(untrusted: written)
        }
    }

    @Test(arguments: AuditEvent.allCases)
    func aRecordIsReadAsItWasWritten(event: AuditEvent) throws {
        var record = AuditRecord(event)
        record.caller = "mgmt"
        record.service = "btrfs.Compress"
        record.argument = "a\nb \"\u{1b}"
        record.target = "@default"
        record.job = "-"
        record.outcome = "done"
        record.savedBytes = -5
        record.detail = String(repeating: "ä", count: 3)
        record.call = "0123abcd"
        record.daemon = "89abcdef"
        record.sequence = .max
        let fields = Dictionary(uniqueKeysWithValues: record.journalFields.map { ($0, $1) })
        #expect(fields.count == AuditRecord.Field.allCases.count)
        #expect(try AuditRecord(untrusted: fields) == record)
    }

    @Test func aRecordOfAnUnknownEventIsPassedOver() throws {
        #expect(try AuditRecord(untrusted: ["QUBES_BTRFS_EVENT": "later"]) == nil)
        #expect(try AuditRecord(untrusted: [:]) == nil)
    }

    @Test func theEndOfACallIsReadByItsFormerName() throws {
        let record = try AuditRecord(untrusted: ["QUBES_BTRFS_EVENT": "report-end"])
        #expect(record?.event == .callEnd)
    }

    @Test func theFileHasNoNumbersOfTheJournal() {
        var record = AuditRecord(.stop)
        record.daemon = "89abcdef"
        record.sequence = 1
        #expect(record.line == AuditRecord(.stop).line)
    }

    @Test func aNumberThatIsNoneIsRefused() {
        let fields = ["QUBES_BTRFS_EVENT": "job-end", "QUBES_BTRFS_SAVED_BYTES": "many"]
        #expect(throws: AuditValue.Unreadable.self) { try AuditRecord(untrusted: fields) }
    }
}
