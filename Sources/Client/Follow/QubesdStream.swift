// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage

/// qubesd's own socket, for who is of the group `qubes` in dom0: its events as they come, and the
/// list of qubes. It answers in the same envelopes as our service.
struct QubesdSocket {
    /// Where qubesd listens.
    static let defaultPath: FilePath = "/var/run/qubesd.sock"
    /// The longest reply, in bytes.
    static let replyBytes = 4 * 1024 * 1024
    /// The longest time that one step of a call may take, in seconds.
    static let timeoutSeconds = 10

    let path: FilePath

    /// The kinds of all qubes.
    func kinds(_ interruption: Interruption) throws(ClientError) -> [QubeName: QubeKind] {
        let connection = try open("admin.vm.List")
        var stream = AnswerStream(
            connection, interruption: interruption, limitBytes: Self.replyBytes)
        let untrustedReply = try stream.reply { _, _ in }
        return QubeKind.all(untrustedList: String(decoding: untrustedReply, as: UTF8.self))
    }

    /// All events from now on.
    func events() throws(ClientError) -> QubesdConnection { try open("admin.Events") }

    private func open(_ method: String) throws(ClientError) -> QubesdConnection {
        do throws(Errno) {
            let socket = try UnixSocket.connect(path, timeoutSeconds: Self.timeoutSeconds)
            try socket.send(Array("\(method)+ dom0 name dom0".utf8) + [0])
            try socket.shutdownWriting()
            return QubesdConnection(socket)
        } catch {
            throw .noQubesd(socket: path.string, reason: error)
        }
    }
}

/// One call of qubesd.
final class QubesdConnection: Connection {
    private let socket: Descriptor

    init(_ socket: consuming Descriptor) { self.socket = socket }

    func read(maximumBytes: Int) throws(ClientError) -> [UInt8] {
        do throws(Errno) {
            return try socket.read(maximumBytes: maximumBytes)
        } catch .connectionReset {
            return []
        } catch {
            throw .connection(error)
        }
    }

    /// The next bytes; nil when none came in time, and empty at the end.
    func read(maximumBytes: Int, withinSeconds seconds: Double) -> [UInt8]? {
        do throws(Errno) {
            try socket.setReadTimeout(seconds: seconds)
            return try socket.read(maximumBytes: maximumBytes)
        } catch .resourceTemporarilyUnavailable {
            return nil
        } catch {
            return []
        }
    }

    func finish(receivedBytes: Int) throws(ClientError) {}

    func cancel() { socket.shutdownBoth() }
}
