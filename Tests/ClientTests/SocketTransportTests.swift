// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemPackage
import Testing

@testable import Client

@Suite struct SocketTransportTests {
    @Test func aCallIsQrexecsHeaderThenTheRequest() throws {
        let run = try Run(
            ["report", "work:private"],
            [.answer(Envelope.answer(Sample.report([Sample.qube("work", bytes: 1)])).encoded())])
        #expect(run.status == .done)
        #expect(run.calls == ["btrfs.Report+private dom0 name work\0{\"version\":1}"])
    }

    @Test func noQubeMeansTheMachine() throws {
        let run = try Run(["report"], [.answer(Envelope.answer(Sample.report([])).encoded())])
        #expect(run.calls == ["btrfs.Report+ dom0 name dom0\0{\"version\":1}"])
        #expect(run.output.hasPrefix("No qube that you may see"))
    }

    @Test func anAnswerOfAServiceThatDoesNotReadIsHeard() throws {
        let busy = Envelope.exception(.init(.busy, "later")).encoded()
        let run = try Run(["report"], [.answerUnread(busy)])
        #expect(run.status == .busy)
        #expect(run.error == "qvm-btrfs: later\n")
    }

    @Test(arguments: ["", "1\0job\0heartbeat\0json", "0", "1\0a\0b\0\0"])
    func aStreamThatEndsEarlyIs3(answer: String) throws {
        let run = try Run(["report"], [.answer(Array(answer.utf8))])
        #expect(run.status == .refused)
        #expect(run.error.contains("ended before its answer was whole"))
    }

    @Test(arguments: [
        "0\0", "0\0{", "0\0{}", "0\0[]", "0\0{\"version\":2,\"jobs\":[]}", "HTTP/1.1 400", "2\0x",
    ])
    func anAnswerThatIsNotOursIs1(answer: String) throws {
        let run = try Run(["jobs"], [.answer(Array(answer.utf8))])
        #expect(run.status == .failed)
        #expect(run.error.contains("of protocol version 1"))
    }

    @Test func anEventWithoutEndIsRefused() throws {
        let bytes = Array("1\0".utf8) + Array(repeating: 0x61, count: Limits.eventBytes + 1)
        let run = try Run(["report"], [.hold(bytes, {})])
        #expect(run.status == .failed)
        #expect(run.error.contains("longer than the client takes"))
    }

    @Test(arguments: [false, true])
    func aReplyIsTakenUpToTheLimitAndNotBeyond(isTooLong: Bool) throws {
        let reply = Envelope.reply(Array(repeating: 0x61, count: 200_000)).encoded()
        let service = try ScriptedService([.answer(reply)])
        let interruption = Interruption()
        let connection = try SocketTransport(path: service.path).open(
            ServiceCall(service: .report, target: "dom0", payload: []))
        var stream = AnswerStream(
            connection, interruption: interruption,
            limitBytes: isTooLong ? reply.count - 1 : reply.count)
        if isTooLong {
            #expect(throws: ClientError.tooLong) { try stream.reply { _, _ in } }
        } else {
            #expect(try stream.reply { _, _ in }.count == 200_000)
        }
    }

    @Test func eventsBeforeAReportsReplyArePassedOver() throws {
        let bytes =
            Envelope.heartbeat.encoded() + (try Envelope.answer(Sample.report([])).encoded())
        #expect(try Run(["report"], [.answer(bytes)]).status == .done)
    }

    @Test func dom0GoesToTheSocketAndOtherQubesToQrexec() {
        func transport(isDom0: Bool, socket: FilePath?) -> any Transport {
            Program(
                console: Capture().console(), interruption: Interruption(),
                environment: ["PATH": "/a:/b"], isDom0: isDom0, clock: .system
            ).transport(socket: socket)
        }
        let dom0 = transport(isDom0: true, socket: nil) as? SocketTransport
        #expect(dom0?.path == "/run/qubes-btrfs.sock")
        let named = transport(isDom0: false, socket: "/other") as? SocketTransport
        #expect(named?.path == "/other")
        let qube = transport(isDom0: false, socket: nil) as? QrexecTransport
        #expect(qube?.searchPath == ["/a", "/b"])
    }
}
