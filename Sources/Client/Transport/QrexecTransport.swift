// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage

/// A qube's way: `qrexec-client-vm TARGET SERVICE+ARGUMENT`, the request on its standard input, the
/// answer on its standard output.
struct QrexecTransport: Transport {
    /// The program that qrexec brings into every qube.
    static let program = "qrexec-client-vm"

    /// Where to look for programs, in this order. Only absolute directories count: a program that
    /// happens to lie in the current one is not what was meant.
    var searchPath: [String]
    /// What the program gets as its environment.
    var environment: [String: String]

    /// Takes both from an environment.
    init(environment: [String: String]) {
        let path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        searchPath = path.split(separator: ":").map(String.init)
        self.environment = environment
    }

    func open(_ call: ServiceCall) throws(ClientError) -> any Connection {
        let ends: Ends
        let child: ChildProcess
        do throws(Errno) {
            ends = try Ends()
            child = try spawn(call, ends)
        } catch {
            throw .noQrexec(reason: error)
        }
        // While we held the child's end, too, a write to a child that has gone would wait for ever.
        ends.childInput = nil
        do throws(Errno) {
            try ends.request.descriptor.write(call.payload)
        } catch {
            // It ended without reading; its exit status says why.
        }
        // What else we hold of the child's goes with `ends`, so that each side sees the other's
        // end.
        return QrexecConnection(child, answer: ends.answer, call: call)
    }

    private func spawn(_ call: ServiceCall, _ ends: Ends) throws(Errno) -> ChildProcess {
        guard let input = ends.childInput else { throw .badFileDescriptor }
        let service = call.service.rawValue
        let name = call.argument.isEmpty ? service : "\(service)+\(call.argument)"
        for directory in searchPath where directory.hasPrefix("/") {
            do throws(Errno) {
                return try ChildProcess.spawn(
                    executable: "\(directory)/\(Self.program)", arguments: [call.target, name],
                    environment: environment, standardInput: input.descriptor,
                    standardOutput: ends.childOutput.descriptor, isMute: call.isMute)
            } catch .noSuchFileOrDirectory {
            } catch .notDirectory {
            } catch .permissionDenied {
            }
        }
        throw .noSuchFileOrDirectory
    }
}

/// The four ends of the child's two pipes.
private final class Ends {
    var childInput: SharedDescriptor?
    let request: SharedDescriptor
    let answer: SharedDescriptor
    let childOutput: SharedDescriptor

    init() throws(Errno) {
        (childInput, request) = try Self.pipe()
        (answer, childOutput) = try Self.pipe()
    }

    private static func pipe() throws(Errno) -> (SharedDescriptor, SharedDescriptor) {
        var ends: [SharedDescriptor] = []
        try Descriptor.pipe().split { (reading, writing) throws(Errno) in
            ends = [SharedDescriptor(reading), SharedDescriptor(writing)]
        }
        return (ends[0], ends[1])
    }
}

private final class QrexecConnection: Connection {
    private let child: ChildProcess
    private let answer: SharedDescriptor
    private let call: ServiceCall

    init(_ child: ChildProcess, answer: SharedDescriptor, call: ServiceCall) {
        self.child = child
        self.answer = answer
        self.call = call
    }

    func read(maximumBytes: Int) throws(ClientError) -> [UInt8] {
        do throws(Errno) {
            return try answer.descriptor.read(maximumBytes: maximumBytes)
        } catch {
            throw .connection(error)
        }
    }

    func finish(receivedBytes: Int) throws(ClientError) {
        let status: Int32
        do throws(Errno) {
            status =
                switch try child.wait() {
                case .exited(let code): code
                case .killed(let signal): 128 + signal
                }
        } catch {
            throw .connection(error)
        }
        // A service behind a socket always ends with 0; whatever else is qrexec's own word.
        guard status == 0, receivedBytes > 0 else {
            throw .refused(service: call.service, target: call.target, exitStatus: status)
        }
    }

    func cancel() { child.kill() }
}
