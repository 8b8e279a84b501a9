// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Glibc
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Client

/// Holds of jobs as the client asks for them.
@Suite struct QubeHoldTests {
    private let folder: TemporaryFolder
    private let qube: QubeName

    init() throws {
        Signals.ignoreBrokenPipes()
        folder = try TemporaryFolder()
        qube = try #require(QubeName("work"))
    }

    private func client(_ transport: any Transport) -> ServiceClient {
        ServiceClient(transport: transport, interruption: Interruption())
    }

    private var qrexec: QrexecTransport {
        QrexecTransport(environment: ["PATH": "\(folder.path):/usr/bin:/bin"])
    }

    @Test func aHoldIsThereFromTheFirstWordAndItsReleaseEndsTheProgram() throws {
        try folder.script(
            QrexecTransport.program,
            """
            printf '%s|' "$@" > "\(folder.path)/arguments"
            echo $$ > "\(folder.path)/process"
            printf '1\\000dom0\\000heartbeat\\000json\\000{}\\000\\000'
            exec sleep 1000
            """)
        let hold = try client(qrexec).hold(jobsOn: qube)
        #expect(try folder.content("arguments") == "work|btrfs.job.Hold|")
        let text = try folder.content("process") ?? ""
        let process = try #require(Int32(text.prefix { $0 != "\n" }))
        #expect(kill(process, 0) == 0)
        hold.release()
        // Once it is reaped, too.
        while kill(process, 0) == 0 { usleep(1000) }
        hold.release()
    }

    @Test func whatRefusesItIsAnErrorAndNotAHold() throws {
        try folder.script(QrexecTransport.program, "cat >/dev/null; exit 126")
        #expect(
            throws: ClientError.refused(service: .jobHold, target: "work", exitStatus: 126)
        ) { try client(qrexec).hold(jobsOn: qube) }
        let exceptions = [
            // A service of an earlier release knows no such call.
            ServiceException(.badRequest, "There is no such service."),
            ServiceException(.busy, "4 qubes are held."),
        ]
        for exception in exceptions {
            let service = try ScriptedService([.answer(Envelope.exception(exception).encoded())])
            let client = client(SocketTransport(path: service.path))
            #expect(throws: ClientError.service(exception)) { try client.hold(jobsOn: qube) }
            #expect(try service.calls() == ["btrfs.job.Hold+ dom0 name work\0{\"version\":1}"])
        }
        let end = try Envelope.answer(JobHoldEnd(heldSeconds: 0)).encoded()
        let over = try ScriptedService([.answer(end)])
        #expect(throws: ClientError.endedEarly) {
            try client(SocketTransport(path: over.path)).hold(jobsOn: qube)
        }
    }

    @Test func whatTheServiceSaysIsTakenHoweverLongItLasts() throws {
        // It writes until nobody is there any more, and would wait for one that does not read.
        let service = try ScriptedService([.hold(Envelope.heartbeat.encoded(), {})])
        let hold = try client(SocketTransport(path: service.path)).hold(jobsOn: qube)
        usleep(50_000)
        hold.release()
        #expect(try service.calls().count == 1)
    }

    @Test func whoIsInterruptedWhileItWaitsHoldsNothing() throws {
        let interruption = Interruption()
        // It says nothing until the signal has come.
        try folder.script(
            QrexecTransport.program,
            "echo > \"\(folder.path)/called\"; exec sleep 1000")
        let file = folder.path("called")
        try WorkThread.start {
            while !FileManager.default.fileExists(atPath: file) { usleep(1000) }
            _ = interruption.interrupt()
        }
        let client = ServiceClient(transport: qrexec, interruption: interruption)
        #expect(throws: ClientError.interrupted) { try client.hold(jobsOn: qube) }
    }
}
