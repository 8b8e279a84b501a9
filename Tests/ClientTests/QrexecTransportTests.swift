// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Client

/// Against a shell script in the place of `qrexec-client-vm`: qrexec itself needs a Xen machine.
@Suite struct QrexecTransportTests {
    private let folder: TemporaryFolder
    private let transport: QrexecTransport

    init() throws {
        Signals.ignoreBrokenPipes()
        folder = try TemporaryFolder()
        transport = QrexecTransport(environment: [
            "PATH": ":relative:/nonexistent:\(folder.path):/usr/bin:/bin"
        ])
    }

    private func client(_ interruption: Interruption = Interruption()) -> ServiceClient {
        ServiceClient(transport: transport, interruption: interruption)
    }

    @Test func theProgramGetsTargetServiceAndRequest() throws {
        try folder.script(
            QrexecTransport.program,
            """
            printf '%s|' "$@" > "\(folder.path)/arguments"
            cat > "\(folder.path)/request"
            printf '0\\000{"version":1,"job":"\(Sample.job)"}'
            """)
        let accepted = try client().start(
            .compress, target: "work", volume: "private",
            request: CompressRequest(level: 9, running: false))
        #expect(accepted.job == Sample.job)
        #expect(try folder.content("arguments") == "work|btrfs.Compress+private|")
        #expect(try folder.content("request")?.contains("\"level\":9") == true)
    }

    @Test func aCallWithoutAnArgumentHasNoPlus() throws {
        try folder.script(
            QrexecTransport.program,
            """
            printf '%s|' "$@" > "\(folder.path)/arguments"
            printf '0\\000{"version":1,"jobs":[]}'
            """)
        #expect(try client().jobs().jobs.isEmpty)
        #expect(try folder.content("arguments") == "dom0|btrfs.job.List|")
    }

    @Test(arguments: [0, 1, 125, 126, 127])
    func noAnswerIsARefusal(status: Int32) throws {
        try folder.script(QrexecTransport.program, "cat >/dev/null; exit \(status)")
        let expected = ClientError.refused(
            service: .jobList, target: "dom0", exitStatus: status)
        #expect(throws: expected) { try client().jobs() }
        #expect(expected.exitStatus == .refused)
    }

    /// The whole program in a qube whose database says its name, or says nothing.
    private func refused(_ arguments: [String]) -> (status: ExitStatus, text: String) {
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(),
            environment: transport.environment, isDom0: false, clock: .system)
        let status = program.run(arguments)
        let words = capture.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return (status, words)
    }

    @Test(arguments: [("exit 1", "THIS"), ("echo mgmt", "mgmt"), ("echo ..", "THIS")])
    func aRefusalHasTheLinesThatAreMissing(database: String, caller: String) throws {
        try folder.script(QrexecTransport.program, "cat >/dev/null; exit 126")
        try folder.script(OwnName.program, database)
        let (status, text) = refused(["compress", "work"])
        #expect(status == .refused)
        #expect(text.contains("btrfs.Compress to 'work' was refused by policy"))
        #expect(text.contains("/etc/qubes/policy.d/30-btrfs.policy"))
        #expect(text.contains("'btrfs.Compress * \(caller) work allow target=dom0'"))
        #expect(text.contains("'admin.vm.List * \(caller) work allow target=dom0'"))
        #expect(text.contains("with this qube's name for THIS") == (caller == "THIS"))
        let machine = refused(["report"]).text
        #expect(machine.contains("'btrfs.Report * \(caller) @adminvm allow target=dom0'"))
        // What may be allowed all the same.
        #expect(text.contains("there is no such qube"))
        #expect(machine.contains("some qubes alone, name them"))
        #expect(refused(["pause", Sample.job]).text.contains("--qube QUBE"))
    }

    @Test func anAnswerOfACallThatFailedIsNotBelieved() throws {
        try folder.script(
            QrexecTransport.program,
            "cat >/dev/null; printf '0\\000{\"version\":1,\"jobs\":[]}'; exit 1")
        #expect(
            throws: ClientError.refused(service: .jobList, target: "dom0", exitStatus: 1)
        ) { try client().jobs() }
    }

    @Test func anExceptionComesThrough() throws {
        try folder.script(
            QrexecTransport.program,
            "printf '2\\000QubesVMNotFoundError\\000\\000no such qube: 100%%%%\\000'")
        #expect(
            throws: ClientError.service(.init(.noSuchQube, "no such qube: 100%"))
        ) { try client().report(target: "gone", volume: "") }
    }

    @Test func aMissingProgramSaysSo() {
        #expect(throws: ClientError.noQrexec(reason: .noSuchFileOrDirectory)) {
            try client().jobs()
        }
    }

    @Test func aProgramOfARelativeDirectoryIsNotStarted() throws {
        try folder.script(QrexecTransport.program, "printf '0\\000{\"version\":1,\"jobs\":[]}'")
        let depth = FileManager.default.currentDirectoryPath.split(separator: "/").count
        let relative = String(repeating: "../", count: depth) + folder.path.dropFirst()
        let lookedFor = ServiceClient(
            transport: QrexecTransport(environment: ["PATH": relative]),
            interruption: Interruption())
        #expect(throws: ClientError.noQrexec(reason: .noSuchFileOrDirectory)) {
            try lookedFor.jobs()
        }
    }

    @Test func aProgramThatEndsWithoutReadingIsNotWaitedFor() throws {
        try folder.script(QrexecTransport.program, "exit 126")
        let connection = try transport.open(
            ServiceCall(
                service: .report, target: "work", payload: Array(repeating: 0x20, count: 1 << 20)))
        #expect(
            throws: ClientError.refused(service: .report, target: "work", exitStatus: 126)
        ) {
            #expect(try connection.read(maximumBytes: 1) == [])
            try connection.finish(receivedBytes: 0)
        }
    }

    @Test func aProgramWhoseAnswerIsGivenUpIsEnded() throws {
        try folder.script(
            QrexecTransport.program,
            "printf '1\\000'; head -c \(Limits.eventBytes) /dev/zero | tr '\\0' a; exec sleep 30")
        let connection = try transport.open(
            ServiceCall(service: .report, target: "work", payload: []))
        var stream = AnswerStream(connection, interruption: Interruption())
        #expect(throws: ClientError.tooLong) { try stream.reply { _, _ in } }
        #expect(
            throws: ClientError.refused(service: .report, target: "work", exitStatus: 128 + 9)
        ) { try connection.finish(receivedBytes: 1) }
    }

    @Test func ctrlCEndsTheProgram() throws {
        // It waits for a pipe that nobody opens: only a signal ends it.
        try folder.script(
            QrexecTransport.program, "printf '1\\000job\\000heartbeat\\000\\000'; read line <&1")
        let interruption = Interruption()
        #expect(throws: ClientError.interrupted) {
            try client(interruption).watch(JobPlace(Sample.job)) { (_) throws(ClientError) in
                _ = interruption.interrupt()
            }
        }
    }
}
