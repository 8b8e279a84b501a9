// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemPackage

/// Why a command did not come to its end.
enum ClientError: Error, Equatable {
    /// The service answered with an exception.
    case service(ServiceException)
    /// The socket of the service in dom0 does not answer.
    case unreachable(socket: String, reason: Errno)
    /// qrexec refused the call, or the service gave no answer at all.
    case refused(service: ServiceName, target: String, exitStatus: Int32?)
    /// There is no `qrexec-client-vm`, or it did not start.
    case noQrexec(reason: Errno)
    /// The other side ended before its answer was whole.
    case endedEarly
    /// What came is not this protocol; the text names the message that was awaited.
    case unreadable(String)
    /// More came than `Limits` allows.
    case tooLong
    /// The connection broke.
    case connection(Errno)
    /// No job's id starts with this.
    case noSuchJob(prefix: String)
    /// Several jobs' ids start with this.
    case ambiguousJob(prefix: String, matches: Int)
    /// The job is over already.
    case jobOver(watch: String)
    /// A signal asked us to end.
    case interrupted
    /// The journal, or a file in its stead, cannot be read.
    case journal(String, reason: String)
    /// The command needs what only dom0 has.
    case onlyInDom0(command: String)
    /// The command changes dom0, and this is another qube, or somebody else than root.
    case onlyForRootOfDom0(command: String, isDom0: Bool)
    /// The command needs qubesd, which only dom0 has.
    case onlyBesideQubesd(command: String)
    /// qubesd does not answer at its socket.
    case noQubesd(socket: String, reason: Errno)
    /// qubesd has ended its events.
    case qubesdEnded(socket: String)
    /// What came from qubesd are no events.
    case unreadableQubesd(socket: String)
    /// There is something to do, and nobody who could say yes to it.
    case unconfirmed(command: String)
    /// systemd does not do something with a unit, or does not know it.
    case unit(String, command: String, reason: String)
    /// The file of what `setup` has done is not of its making.
    case notASetup(String)
    /// Nobody reads our output any more, or it cannot be written.
    case output(Errno)
    /// A file of the caller's own cannot be read or written.
    case file(String, Errno)
    /// A file that should hold a report holds none.
    case notAReport(String)
    /// A call of the Admin API was not answered as it should be.
    case admin(AdminError)
    /// qrexec refused to run a command in a qube.
    case guestRefused(qube: String)
    /// The program that runs commands in qubes did not start.
    case noGuestProgram(String, Errno)
    /// Nobody could be asked what has to be asked.
    case nobodyToAsk(option: String)
}

extension ClientError {
    /// Policy has refused something, or may have.
    var isRefusal: Bool {
        switch self {
        case .refused, .guestRefused: true
        case .admin(let error): error.isRefusal
        default: false
        }
    }

    /// How the program ends for this reason.
    var exitStatus: ExitStatus {
        switch self {
        case .service(let exception): exception.kind.exitStatus
        case .unreachable, .refused, .noQrexec, .endedEarly, .connection, .guestRefused,
            .noGuestProgram, .noQubesd, .qubesdEnded:
            .refused
        case .admin(let error): error.exitStatus
        case .unreadable, .tooLong, .output, .file, .journal, .jobOver, .unit, .notASetup,
            .unreadableQubesd:
            .failed
        case .noSuchJob: .notFound
        case .ambiguousJob, .onlyInDom0, .notAReport, .onlyForRootOfDom0, .unconfirmed,
            .nobodyToAsk, .onlyBesideQubesd:
            .usage
        case .interrupted: .interrupted
        }
    }

    /// One sentence or two: what was wrong, with which thing, and what to do. nil where nobody is
    /// left to read it.
    /// - Parameter caller: this qube, where it is known.
    func message(from caller: QubeName? = nil) -> String? {
        switch self {
        case .service(let exception): exception.message
        case .unreachable(let socket, let reason):
            "cannot reach the service at \(socket): \(reason). Is qubes-btrfsd.socket running, and "
                + "are you in the group 'qubes'?"
        case .refused(let service, let target, let exitStatus):
            Self.refusal(service, of: target, to: caller, exitStatus: exitStatus)
        case .noQrexec(let reason):
            "cannot start qrexec-client-vm: \(reason). It comes with the package "
                + "qubes-core-qrexec of the qube."
        case .endedEarly:
            "the service ended before its answer was whole. A job that was started may go on: "
                + "'qvm-btrfs jobs' tells."
        case .unreadable(let what):
            "the service's answer is not a \(what) of protocol version "
                + "\(ProtocolVersion.current.rawValue). Are client and service of the same release?"
        case .tooLong: "the service's answer is longer than the client takes."
        case .connection(let reason): "the connection to the service broke: \(reason)."
        case .noSuchJob(let prefix):
            "no job that you may see starts with '\(prefix)'. 'qvm-btrfs jobs' lists them."
        case .ambiguousJob(let prefix, let matches):
            "'\(prefix)' is the start of \(matches) jobs. Give more of its digits."
        case .jobOver(let watch):
            "the job is over already: '\(watch)' shows what it brought."
        case .journal(let subject, let reason):
            "cannot read the journal (\(subject)): \(reason). It is for root and the group "
                + "'systemd-journal'."
        case .onlyInDom0(let command):
            "'\(command)' reads dom0's journal: run it in dom0, or give --journal a file."
        case .onlyForRootOfDom0(let command, isDom0: true):
            "'\(command)' changes units of systemd, which only root may: 'sudo qvm-btrfs "
                + "\(command)'."
        case .onlyForRootOfDom0(let command, isDom0: false):
            "'\(command)' changes dom0: run it there, as root. Here is another qube."
        case .onlyBesideQubesd(let command):
            "'\(command)' listens to qubesd, which runs in dom0 alone: start it there."
        case .noQubesd(let socket, let reason):
            "cannot reach qubesd at \(socket): \(reason). Is qubesd.service running, and is this "
                + "user in the group 'qubes'? It is tried again."
        case .qubesdEnded(let socket):
            "qubesd has ended its events at \(socket), as it does when it restarts. It is called "
                + "again; what changes meanwhile is left to the weekly run."
        case .unreadableQubesd(let socket):
            "what comes from qubesd at \(socket) are no events that this release knows. It is "
                + "called again."
        case .unconfirmed(let command):
            "nothing was changed, as nobody can be asked: '\(command) --yes' does it, "
                + "'\(command) --dry-run' shows it."
        case .unit(let unit, let command, let reason):
            "'\(command)' did not work: \(reason). 'systemctl status \(unit)' shows more; "
                + "'qvm-btrfs setup --undo' takes back what was done."
        case .notASetup(let path):
            "the file \(path) should say what 'setup' has changed, and cannot be read. Look at "
                + "the units by 'systemctl list-unit-files \"qubes-btrfs*\"', then remove it."
        case .admin(let error): error.message(from: caller)
        case .guestRefused(let qube): PolicyText.trimRefusal(of: qube, to: caller)
        case .noGuestProgram(let program, let reason):
            "cannot start \(program): \(reason). It comes with qrexec's own package."
        case .nobodyToAsk(let option):
            "this asks first, and nobody sits at a terminal: give \(option)."
        case .interrupted: nil
        case .output(.brokenPipe): nil
        case .output(let reason): "cannot write the output: \(reason)."
        case .file(let path, let reason): "cannot use the file \(path): \(reason)."
        case .notAReport(let path):
            "the file \(path) holds no report. 'qvm-btrfs report --json >FILE' writes one."
        }
    }

    private static func refusal(
        _ service: ServiceName, of target: String, to caller: QubeName?, exitStatus: Int32?
    ) -> String {
        let name = caller?.text ?? "THIS"
        let call = "the call of \(service.rawValue) to '\(target)'"
        let policyTarget = target == ServiceClient.machine ? "@adminvm" : target
        return switch exitStatus {
        case 125, 127:
            "\(call) found no service in dom0 (qrexec status \(exitStatus ?? 0)). Is "
                + "qubes-btrfs installed there, and qubes-btrfsd.socket running?"
        case .some(let status) where status != 126 && status != 0:
            "\(call) failed: qrexec-client-vm ended with status \(status)."
        default:
            "\(call) was refused by policy, \(orElse(service, target)) "
                + "To allow it put these lines into dom0's /etc/qubes/policy.d/\(PolicyText.file)"
                + (caller == nil ? ", with this qube's name for THIS: " : ": ")
                + "'\(service.rawValue) * \(name) \(policyTarget) allow target=dom0' and "
                + "'\(PolicyText.visibility) * \(name) \(policyTarget) allow target=dom0'. "
                + "In dom0 'qvm-btrfs policy \(name) --qube \(target)' prints these and all others "
                + "that go with them."
        }
    }

    /// What else it may be, and what to try that policy may allow.
    private static func orElse(_ service: ServiceName, _ target: String) -> String {
        if target != ServiceClient.machine {
            return "there is no such qube, or the service is missing in dom0."
        }
        switch service {
        case .jobWatch, .jobCancel, .jobPause, .jobResume:
            return "or the service is missing in dom0. Where policy lets you ask about the job's "
                + "qube alone, name it: --qube QUBE."
        default:
            return "or the service is missing in dom0. Where policy lets you ask about some qubes "
                + "alone, name them."
        }
    }
}

extension ServiceException.Kind {
    /// How the program ends when the service answers with this.
    var exitStatus: ExitStatus {
        switch self {
        case .badRequest: .usage
        case .noSuchQube, .noSuchVolume, .noSuchJob: .notFound
        case .busy: .busy
        case .unsuitablePool, .jobOver, .failed: .failed
        }
    }
}

extension JobRecord {
    /// How the program ends when a job that it followed has ended like this.
    var exitStatus: ExitStatus {
        // Whatever else became of it: there is nothing that is more important to say.
        if result?.verification?.hasDifferences == true { return .different }
        let isUnreadable = (result?.unreadable ?? []).isEmpty == false
        guard state == .done else { return state.exitStatus }
        if isUnreadable { return .unreadable }
        return result?.lacksRoom == true ? .lackedRoom : .done
    }
}

extension JobState {
    /// How the program ends when a job that it followed ended like this, and all could be read.
    fileprivate var exitStatus: ExitStatus {
        switch self {
        case .done: .done
        case .interrupted: .jobInterrupted
        case .cancelled: .jobCancelled
        case .failed, .queued, .running, .paused, .unknown: .failed
        }
    }
}
