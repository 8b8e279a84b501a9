// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import SystemPackage
import Testing

@testable import Client

@Suite struct AuditCommandTests {
    private typealias Sample = AuditSample

    /// A line as journalctl writes it, so many seconds after the beginning.
    private static func line(_ seconds: Int64, _ fields: [String: String]) -> String {
        let own = ["__REALTIME_TIMESTAMP": "\(Sample.start + seconds)000000", "_UID": "0"]
        let all = own.merging(fields) { $1 }.sorted { $0.key < $1.key }
        return "{" + all.map { #""\#($0.key)":"\#($0.value)""# }.joined(separator: ",") + "}\n"
    }

    private static func policy(_ seconds: Int64, _ message: String) -> String {
        line(seconds, ["MESSAGE": "qrexec: " + message])
    }

    private static func record(
        _ seconds: Int64, _ event: String, _ outcome: String, _ more: [String: String] = [:]
    ) -> String {
        let compress = [
            "EVENT": event, "OUTCOME": outcome, "CALLER": "mgmt", "SERVICE": "btrfs.Compress",
            "ARGUMENT": "private", "TARGET": "work", "JOB": Sample.job,
        ].merging(more) { $1 }
        let fields = compress.map { ("QUBES_BTRFS_" + $0.key, $0.value) }
        return line(seconds, Dictionary(uniqueKeysWithValues: fields))
    }

    private static let journal = [
        policy(0, "btrfs.Compress+private: mgmt -> work: allowed to dom0"),
        record(0, "request", "accepted"), record(1, "job-start", "running"),
        record(61, "job-end", "done", ["SAVED_BYTES": "5242880"]),
        policy(
            70,
            "btrfs.Report: personal -> vault: denied: denied by policy "
                + "/etc/qubes/policy.d/80-btrfs.policy:38"),
        record(
            80, "request", "BtrfsBusyError",
            [
                "CALLER": "dom0", "SERVICE": "btrfs.Dedupe", "ARGUMENT": "-", "TARGET": "dom0",
                "JOB": "-", "DETAIL": #"\"32 jobs are waiting already\""#,
            ]),
    ].joined()

    private func run(
        _ arguments: [String], journal: String = journal, isDom0: Bool = true
    ) throws -> (status: ExitStatus, capture: Capture) {
        let folder = try TemporaryFolder()
        let path = folder.path + "/journal"
        try Data(journal.utf8).write(to: URL(filePath: path))
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: isDom0, clock: .system)
        let status = program.run(
            ["audit", "--since", "2023-01-01"] + arguments + ["--journal", path])
        return (status, capture)
    }

    private func time(_ seconds: Int64) -> String { Moment.second(Sample.start + seconds) }

    @Test func itTellsWhoAskedWhatPolicySaidAndWhatCameOfIt() throws {
        let (status, capture) = try run([])
        #expect(status == .done)
        #expect(capture.error == "")
        #expect(
            capture.output == """
                \(time(0))  mgmt called btrfs.Compress+private for work
                  allowed by policy; job 0123456789abcdef0123 ended as done after 1 min 0 s,
                    saved 5.00 MiB
                \(time(70))  personal called btrfs.Report for vault
                  denied by policy: /etc/qubes/policy.d/80-btrfs.policy:38; nothing was done
                \(time(80))  dom0 called btrfs.Dedupe for dom0
                  dom0 itself; refused by the service: BtrfsBusyError (32 jobs are waiting
                    already)

                """)
    }

    @Test(arguments: [
        (["--caller", "mgmt"], ["mgmt"]), (["--caller", "nosuch"], []),
        (["--qube", "vault"], ["personal"]), (["--qube", "dom0"], ["dom0"]),
        (["--caller", "mgmt", "--qube", "vault"], []),
    ])
    func itTellsOfOneCallerOrOneQube(arguments: [String], callers: [String]) throws {
        let (_, capture) = try run(arguments + ["--json"])
        let found = capture.output.matches(of: #/"caller":"(\w+)"/#).map { String($0.output.1) }
        #expect(found == callers)
    }

    @Test func whatIsOlderIsLeftOut() throws {
        let capture = Capture()
        let folder = try TemporaryFolder()
        let path = folder.path + "/journal"
        try Data(Self.journal.utf8).write(to: URL(filePath: path))
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: true, clock: .system)
        let status = program.run(["audit", "--since", time(60), "--journal", path])
        #expect(status == .done)
        #expect(!capture.output.contains("mgmt"))
        #expect(capture.output.contains("personal"))
    }

    @Test func itsJSONIsOneObject() throws {
        let (_, capture) = try run(["--json", "--caller", "mgmt"])
        let start = Sample.start
        #expect(
            capture.output == """
                {"entries":[{"argument":"private","askedAt":\(start),"caller":"mgmt",\
                "decision":"allowed","endedAt":\(start + 61),"job":"0123456789abcdef0123",\
                "outcome":"over","savedBytes":5242880,"service":"btrfs.Compress",\
                "startedAt":\(start + 1),"state":"done","target":"work"}],\
                "timeZone":{"name":"\(Moment.zone(start))",\
                "offsetSeconds":\(Moment.offsetSeconds(start))},"version":1}

                """)
    }

    @Test func whatTheJournalLacksIsSaidAndCounted() throws {
        let records = [
            ("1", Self.policy(0, "btrfs.Check: mgmt -> work: allowed to dom0")), ("5", ""),
        ]
        .map { sequence, other in
            other
                + Self.record(
                    1, "request", "accepted",
                    ["CALLER": "dom0", "DAEMON": "0123abcd", "SEQUENCE": sequence])
        }
        let (_, capture) = try run([], journal: records.joined())
        #expect(capture.error.contains("3 records of the service did not get into the journal"))
        #expect(capture.output.contains("or the record of it is lost"))
        let (_, json) = try run(["--json"], journal: records.joined())
        #expect(json.output.contains(#""lostRecords":3"#))
    }

    @Test func noLineOfTheJournalMovesATerminal() throws {
        let hostile =
            Self.policy(0, #"btrfs.Report: a -> b: denied: \u001b[2J\u202e\nx"#)
            + Self.record(
                0, "request", #"\"\\x9b\\xe2\\x80\\xae\""#,
                ["CALLER": #"\"\\x1b[2J\\n\""#])
        for arguments in [[], ["--json"]] {
            let (_, capture) = try run(arguments, journal: hostile)
            #expect(capture.output.contains("["))
            #expect(capture.output.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x0a })
            #expect(!capture.output.unicodeScalars.contains("\u{202e}"))
            for line in capture.output.split(separator: "\n") where arguments.isEmpty {
                #expect(line.count <= 80)
            }
        }
    }

    @Test func linesThatAreNoEntriesAreCountedOnStandardError() throws {
        let (status, capture) = try run([], journal: Self.journal + "nonsense\n")
        #expect(status == .done)
        #expect(capture.error.contains("1 line of the journal"))
        #expect(capture.output.contains("mgmt"))
    }

    @Test func aQubeHasNoSuchJournal() {
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: false, clock: .system)
        #expect(program.run(["audit"]) == .usage)
        #expect(capture.error.contains("dom0"))
    }

    @Test func aFileThatIsNotThereIsAnErrorWithItsName() {
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: true, clock: .system)
        #expect(program.run(["audit", "--journal", "/nonexistent/journal"]) == .failed)
        #expect(capture.error.contains("/nonexistent/journal"))
        // No group lets anybody read a file that is not there.
        #expect(!capture.error.contains("systemd-journal"))
    }

    @Test func theJournalIsAskedForOurEntriesAlone() {
        let arguments = Journal.arguments(since: 5)
        #expect(arguments.contains("--since=@5"))
        #expect(
            arguments.suffix(5) == [
                "SYSLOG_IDENTIFIER=qrexec-policy-daemon", "+",
                "SYSLOG_IDENTIFIER=qrexec-policy-exec", "+", "SYSLOG_IDENTIFIER=qubes-btrfsd",
            ])
    }
}
