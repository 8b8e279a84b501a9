// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls
public import SystemPackage

/// The daemon of Qubes in dom0, asked through the socket of its Admin API.
///
/// Each call is a connection of its own and blocks the thread: for threads of our own.
public struct Qubesd: Sendable {
    /// Where qubesd listens.
    public static let socketPath: FilePath = "/var/run/qubesd.sock"
    /// The longest reply, in bytes.
    public static let replyBytes = 4 * 1024 * 1024
    /// The longest time that a call may take, in seconds.
    public static let timeoutSeconds = 10

    private let path: FilePath
    private let timeoutSeconds: Int

    /// - Parameter timeoutSeconds: at least 1.
    public init(
        socketPath: FilePath = Qubesd.socketPath, timeoutSeconds: Int = Qubesd.timeoutSeconds
    ) {
        path = socketPath
        self.timeoutSeconds = max(1, timeoutSeconds)
    }

    /// The qubes that the policy of `admin.vm.List` lets a caller see, all of them for `dom0`. An
    /// empty reply is qubesd's way to say none.
    public func visibleQubes(to caller: String) throws(QubesdError) -> [VisibleQube] {
        let call = Call(method: "admin.vm.List", source: caller)
        let content: [UInt8]
        do throws(QubesdError) {
            content = try perform(call)
        } catch  where error.reason == .refused {
            return []
        }
        var qubes: [VisibleQube] = []
        var known: Set<String> = []
        for line in try Reply(content, call).lines() {
            guard qubes.count < InventoryLimits.qubes else {
                throw call.error(.malformed("more than \(InventoryLimits.qubes) qubes"))
            }
            guard let qube = VisibleQube(untrusted: line) else {
                throw call.error(.malformed("line \(quoted(line))"))
            }
            guard known.insert(qube.name).inserted else {
                throw call.error(.malformed("qube \(quoted(qube.name)) twice"))
            }
            qubes.append(qube)
        }
        return qubes
    }

    /// Sends a call and takes the content of its reply.
    private func perform(_ call: Call) throws(QubesdError) -> [UInt8] {
        let header = try call.encoded()
        let deadline = ContinuousClock.now + .seconds(timeoutSeconds)
        let socket: Descriptor
        do throws(Errno) {
            socket = try UnixSocket.connect(path, timeoutSeconds: timeoutSeconds)
        } catch .resourceTemporarilyUnavailable {
            throw call.error(.timedOut)
        } catch {
            throw call.error(.unavailable(error))
        }
        var isCut = false
        do throws(Errno) {
            try socket.send(header)
            try socket.shutdownWriting()
        } catch .brokenPipe {
            // It may have answered all the same.
            isCut = true
        } catch {
            throw call.error(error == .resourceTemporarilyUnavailable ? .timedOut : .failed(error))
        }
        let reply = try read(socket, call, deadline)
        if reply.isEmpty && isCut { throw call.error(.hungUp) }
        return try Reply(reply, call).content()
    }

    /// Reads to the end. The timeout of the socket is one for each read; the deadline ends a reply
    /// that comes a byte at a time.
    private func read(
        _ socket: borrowing Descriptor, _ call: Call, _ deadline: ContinuousClock.Instant
    ) throws(QubesdError) -> [UInt8] {
        let pieceBytes = 64 * 1024
        var reply: [UInt8] = []
        while true {
            let piece: [UInt8]
            do throws(Errno) {
                piece = try socket.read(maximumBytes: pieceBytes)
            } catch .resourceTemporarilyUnavailable {
                throw call.error(.timedOut)
            } catch .connectionReset {
                throw call.error(.hungUp)
            } catch {
                throw call.error(.failed(error))
            }
            if piece.isEmpty { return reply }
            reply += piece
            guard reply.count <= Self.replyBytes else { throw call.error(.tooLong) }
            guard ContinuousClock.now < deadline else { throw call.error(.timedOut) }
        }
    }
}
