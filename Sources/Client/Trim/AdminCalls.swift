// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage

/// Why a call of the Admin API gave nothing.
enum AdminError: Error, Equatable {
    /// Policy refused it, or qubesd knows no such call.
    case refused(method: String, argument: String, target: String)
    /// qubesd answered with an exception of this class.
    case exception(method: String, target: String, kind: String)
    /// Nobody answered.
    case unreachable(method: String, Errno)
    /// What came is no answer.
    case unreadable(method: String)

    /// It may be policy's doing.
    var isRefusal: Bool {
        if case .refused = self { true } else { false }
    }

    /// How the program ends for this reason.
    var exitStatus: ExitStatus {
        switch self {
        case .refused, .unreachable: .refused
        case .exception, .unreadable: .failed
        }
    }

    /// What was wrong, and what to do.
    func message(from caller: QubeName?) -> String {
        switch self {
        case .refused(let method, let argument, let target):
            let token = target == ServiceClient.machine ? "@adminvm" : target
            let name = caller?.text ?? "THIS"
            let line =
                "\(method) +\(argument) \(name) \(token) allow "
                + "target=dom0"
            return "the call of \(method) to '\(target)' was refused by policy. To allow it put "
                + "this line into dom0's /etc/qubes/policy.d/\(PolicyText.file)"
                + (caller == nil ? ", with this qube's name for THIS: " : ": ") + "'\(line)'. "
                + "In dom0 'qvm-btrfs policy \(name) --qube QUBE --trim' prints all that a trim "
                + "with --start needs."
        case .exception(let method, let target, let kind):
            return "\(method) of '\(target)' failed: \(kind). dom0's journal of qubesd says more."
        case .unreachable(let method, let reason):
            return "cannot call \(method): \(reason). Is qubesd running?"
        case .unreadable(let method):
            return "the answer to \(method) is none of the Admin API."
        }
    }
}

/// Calls of the Admin API: to qubesd's socket in dom0, through qrexec and policy in a qube.
struct AdminCalls {
    /// The longest answer that is taken, in bytes.
    static let limitBytes = 256 * 1024
    /// How long a call may take that only asks, in seconds.
    static let askSeconds = 60
    /// How long a start may take, in seconds: qubesd itself waits for the agent as long as the
    /// qube's property `qrexec_timeout` says, 60 unless somebody has set it.
    static let startSeconds = 600

    /// Which way a call takes.
    enum Way {
        case socket(FilePath)
        case qrexec(QrexecTransport)
    }

    let way: Way

    /// Makes a call, to its end: what must not be left half done cannot be interrupted.
    /// - Returns: the content of the answer, printable ASCII and ends of lines.
    @discardableResult
    func call(
        _ method: String, _ argument: String = "", about target: String,
        limitSeconds: Int = askSeconds
    ) throws(AdminError) -> String {
        let untrusted: [UInt8]
        switch way {
        case .socket(let path):
            do throws(Errno) {
                untrusted = try ask(path, method, argument, target, limitSeconds)
            } catch {
                throw .unreachable(method: method, error)
            }
            if untrusted.isEmpty {
                throw .refused(method: method, argument: argument, target: target)
            }
        case .qrexec(let programs):
            untrusted = try ask(programs, method, argument, target, limitSeconds)
        }
        return try Self.content(untrusted, method, target)
    }

    private func ask(
        _ path: FilePath, _ method: String, _ argument: String, _ target: String, _ seconds: Int
    ) throws(Errno) -> [UInt8] {
        let socket = try UnixSocket.connect(path, timeoutSeconds: seconds)
        try socket.write(Array("\(method)+\(argument) dom0 name \(target)".utf8) + [0])
        try socket.shutdownWriting()
        guard let bytes = try socket.readToEnd(limitBytes: Self.limitBytes) else {
            throw .fileTooLarge
        }
        return bytes
    }

    private func ask(
        _ programs: QrexecTransport, _ method: String, _ argument: String, _ target: String,
        _ seconds: Int
    ) throws(AdminError) -> [UInt8] {
        let end: ProgramEnd
        do throws(Errno) {
            end = try programs.run(
                QrexecTransport.program,
                [target, argument.isEmpty ? method : "\(method)+\(argument)"],
                outputBytes: Self.limitBytes, limitSeconds: Double(seconds))
        } catch {
            throw .unreachable(method: method, error)
        }
        switch end.reason {
        case .exited(0) where !end.output.isEmpty: return end.output
        case .exited: throw .refused(method: method, argument: argument, target: target)
        case .late: throw .unreachable(method: method, .timedOut)
        case .killed, .tooLong: throw .unreadable(method: method)
        }
    }

    /// `0 NUL content`, or `2 NUL class NUL ...`.
    static func content(
        _ untrusted: [UInt8], _ method: String, _ target: String
    ) throws(AdminError) -> String {
        guard untrusted.count >= 2, untrusted[1] == 0 else {
            throw .unreadable(method: method)
        }
        let rest = untrusted.dropFirst(2)
        switch untrusted[0] {
        case UInt8(ascii: "0"):
            guard rest.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x0a }) else {
                throw .unreadable(method: method)
            }
            return String(decoding: rest, as: UTF8.self)
        case UInt8(ascii: "2"):
            let kind = String(decoding: rest.prefix { $0 != 0 }, as: UTF8.self)
            guard let name = PlainName(kind) else { throw .unreadable(method: method) }
            throw .exception(method: method, target: target, kind: name.text)
        default: throw .unreadable(method: method)
        }
    }
}
