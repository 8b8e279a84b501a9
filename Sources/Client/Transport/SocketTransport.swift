// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage

/// dom0's own way: straight to the socket that qrexec connects to, with the header that qrexec
/// would write.
struct SocketTransport: Transport {
    /// Where the service listens.
    static let defaultPath: FilePath = "/run/qubes-btrfs.sock"

    /// Where it listens here.
    var path = SocketTransport.defaultPath

    func open(_ call: ServiceCall) throws(ClientError) -> any Connection {
        let header = CallHeader(
            service: call.service.rawValue, argument: call.argument, source: "dom0",
            target: .name(call.target))
        let socket: Descriptor
        do throws(Errno) {
            socket = try UnixSocket.connect(path)
        } catch {
            throw .unreachable(socket: path.string, reason: error)
        }
        do throws(Errno) {
            try socket.write(header.encoded() + call.payload)
            try socket.shutdownWriting()
        } catch .brokenPipe {
            // A service that is too busy answers without reading: its answer waits for us.
        } catch {
            throw .connection(error)
        }
        return SocketConnection(socket, service: call.service, target: call.target)
    }
}

private final class SocketConnection: Connection {
    private let socket: Descriptor
    private let service: ServiceName
    private let target: String

    init(_ socket: consuming Descriptor, service: ServiceName, target: String) {
        self.socket = socket
        self.service = service
        self.target = target
    }

    func read(maximumBytes: Int) throws(ClientError) -> [UInt8] {
        do throws(Errno) {
            return try socket.read(maximumBytes: maximumBytes)
        } catch .connectionReset {
            // It closed without reading all of our request; what it wrote before has been read.
            return []
        } catch {
            throw .connection(error)
        }
    }

    /// A socket says no more than its bytes did.
    func finish(receivedBytes: Int) throws(ClientError) {}

    func cancel() { socket.shutdownBoth() }
}
