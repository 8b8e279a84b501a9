// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

@Suite struct AuditReadingTests {
    @Test func aSignalEndsTheProgramThatReadsTheJournal() throws {
        let folder = try TemporaryFolder()
        try folder.script("journalctl", "sleep 20")
        let interruption = Interruption()
        _ = interruption.interrupt()
        #expect(throws: ClientError.interrupted) {
            try Journal.read(
                since: 0, until: interruption, programs: [folder.path("journalctl")])
        }
    }

    @Test(arguments: [
        (
            "qrexec: btrfs.Report+root: admin -> work: allowed to dom0",
            PolicyLine(
                service: "btrfs.Report", argument: "root", caller: "admin", target: "work",
                verdict: .allowed)
        ),
        (
            "qrexec: btrfs.Report+: admin -> @default: allowed to dom0",
            PolicyLine(
                service: "btrfs.Report", caller: "admin", target: "@default", verdict: .allowed)
        ),
        (
            "qrexec: btrfs.Report: personal -> dom0: denied: denied by policy "
                + "/etc/qubes/policy.d/30-demo.policy:7",
            PolicyLine(
                service: "btrfs.Report", caller: "personal", target: "dom0",
                verdict: .denied(
                    reason: "denied by policy /etc/qubes/policy.d/30-demo.policy:7",
                    rule: "/etc/qubes/policy.d/30-demo.policy:7"))
        ),
        (
            "qrexec: btrfs.Report+x: personal -> : denied: no matching rule found",
            PolicyLine(
                service: "btrfs.Report", argument: "x", caller: "personal", target: "",
                verdict: .denied(reason: "no matching rule found", rule: nil))
        ),
        (
            "qrexec: btrfs.Dedupe+: admin -> @adminvm: denied: denied by the user "
                + "/etc/qubes/policy.d/30-a.policy:1",
            PolicyLine(
                service: "btrfs.Dedupe", caller: "admin", target: "@adminvm",
                verdict: .deniedByUser(rule: "/etc/qubes/policy.d/30-a.policy:1"))
        ),
        (
            "qrexec: btrfs.Dedupe: admin -> work: error loading policy: /a:7: wrong number",
            PolicyLine(
                service: "btrfs.Dedupe", caller: "admin", target: "work",
                verdict: .failed(reason: "error loading policy: /a:7: wrong number"))
        ),
    ])
    func aLineOfPolicyIsRead(line: String, expected: PolicyLine) {
        #expect(PolicyLine(untrusted: line) == expected)
    }

    @Test(arguments: [
        "", "qrexec: ", "qrexec: target 'nosuch' does not exist, using @default instead",
        "qrexec: qubes.Filecopy+: a -> b: allowed to b", "btrfs.Report+: a -> b: allowed to dom0",
        "x qrexec: btrfs.Report+: a -> b: allowed to dom0", "qrexec: btrfs.Report+: a: allowed",
        "qrexec: btrfs.Report+: a -> b: perhaps", "qrexec: btrfs.Report+:  -> b: allowed to dom0",
        "qrexec: btrfs.Report+\u{1b}: a -> b: allowed to dom0",
        "qrexec: btrfs.Report+: a b -> c: allowed to dom0",
    ])
    func anyOtherLineIsPassedOver(line: String) {
        #expect(PolicyLine(untrusted: line) == nil)
    }

    private func read(_ text: String) -> JournalText {
        var journal = JournalText()
        journal.append(text.utf8)
        journal.finish()
        return journal
    }

    @Test func entriesAreReadInWhateverPiecesTheyCome() {
        let text = """
            {"__REALTIME_TIMESTAMP":"5","MESSAGE":"qrexec: btrfs.Report+: a -> b: allowed to dom0"}
            {"__REALTIME_TIMESTAMP":"6","_UID":"0","QUBES_BTRFS_EVENT":"request",\
            "QUBES_BTRFS_CALLER":"a","QUBES_BTRFS_TARGET":"\\"@default\\"","MESSAGE":null}
            {"__REALTIME_TIMESTAMP":"7","MESSAGE":"something else"}
            """
        var record = AuditRecord(.request)
        record.caller = "a"
        record.target = "@default"
        let policy = PolicyLine(
            service: "btrfs.Report", caller: "a", target: "b", verdict: .allowed)
        let expected = [
            JournalEntry(microseconds: 5, content: .policy(policy)),
            JournalEntry(microseconds: 6, content: .service(record)),
        ]
        #expect(read(text).entries == expected)
        #expect(read(text).unreadableLines == 0)
        var pieces = JournalText()
        for byte in text.utf8 { pieces.append([byte]) }
        pieces.finish()
        #expect(pieces.entries == expected)
    }

    @Test(arguments: [
        "nonsense", "[]", "{}", #"{"__REALTIME_TIMESTAMP":"-1","MESSAGE":"x"}"#,
        #"{"__REALTIME_TIMESTAMP":"x","MESSAGE":"x"}"#,
        #"{"__REALTIME_TIMESTAMP":"1","QUBES_BTRFS_EVENT":"request","QUBES_BTRFS_JOB":"a b"}"#,
        #"{"__REALTIME_TIMESTAMP":"1","_UID":"1000","QUBES_BTRFS_EVENT":"request"}"#,
        String(repeating: "[", count: 1000),
    ])
    func aLineThatCannotBeReadIsCounted(line: String) {
        let journal = read(line + "\n")
        #expect(journal.entries.isEmpty)
        #expect(journal.unreadableLines == 1)
    }

    @Test func aLineBeyondItsBoundIsCountedAndTheNextIsRead() {
        let next = #"{"__REALTIME_TIMESTAMP":"1","QUBES_BTRFS_EVENT":"request"}"#
        let padding = String(repeating: " ", count: JournalText.lineBytes - next.utf8.count)
        #expect(read(padding + next + "\n" + next).unreadableLines == 0)
        let journal = read(padding + " " + next + "\n" + next)
        #expect(journal.unreadableLines == 1)
        #expect(journal.entries.count == 1)
    }

    @Test(arguments: [("90m", 5400), ("12h", 43200), ("7d", 604_800), ("2w", 1_209_600)])
    func aLengthOfTimeIsSoLongAgo(text: String, seconds: Int64) {
        #expect(AuditTime.read(text, now: 10_000_000) == 10_000_000 - seconds)
    }

    @Test(arguments: ["2026-11-23 00:00:00", "2026-01-02 07:30:05", "1999-12-31 23:59:59"])
    func aMomentIsWrittenAsItIsRead(text: String) throws {
        #expect(Moment.second(try #require(AuditTime.read(text, now: 0))) == text)
    }

    @Test func aMomentMayBeShort() {
        let whole = AuditTime.read("2026-11-23 07:30:00", now: 0)
        #expect(AuditTime.read("2026-11-23T07:30", now: 0) == whole)
        let day = AuditTime.read("2026-11-23 00:00:00", now: 0)
        #expect(AuditTime.read("2026-11-23", now: 0) == day)
    }

    @Test(arguments: [
        "", "d", "-1d", "7", "7y", "1e3d", "100001d", "2026-11", "2026-11-31", "2026-13-01",
        "2026-11-23 25:00", "2026-11-23 ", "26-11-23", "+026-11-23", "2026-11-23 07:30 --file=x",
    ])
    func aTimeThatIsNoneIsRefused(text: String) {
        #expect(AuditTime.read(text, now: 10_000_000_000) == nil)
    }
}
