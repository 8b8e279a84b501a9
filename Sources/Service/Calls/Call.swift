// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// A call whose header is well formed. Nothing is known yet of what exists or what the caller may
/// see.
struct Call: Equatable {
    /// What is asked for.
    let service: ServiceName
    /// The calling qube.
    let caller: QubeName
    /// What it is about.
    let target: CallTarget
    /// What part of it.
    let argument: CallArgument
}

/// What a call names as its target.
enum CallTarget: Equatable, Sendable {
    /// `dom0` by name, or the keyword `adminvm` (so Qubes 4.2).
    case machine
    /// A qube by name.
    case qube(QubeName)
    /// A qube by UUID, the prefix left out.
    case uuid(QubeID)
    /// A keyword that is no qube: what qrexec makes of a name that does not exist. It is answered
    /// as a qube that nobody sees.
    case nobody
}

/// What a call names as its argument.
enum CallArgument: Equatable, Sendable {
    /// All of the target.
    case whole
    /// A volume of the qube.
    case volume(PlainName)
    /// An image pool of the machine.
    case pool(PlainName)
    /// dom0's own files.
    case system
    /// A job.
    case job(JobID)

    /// As it stands in job records.
    var text: String {
        switch self {
        case .whole: ""
        case .system: WorkerOrder.Volume.systemName
        case .volume(let name): name.text
        case .job(let job): job.text
        case .pool(let name): CallArgument.poolPrefix + name.text
        }
    }

    static let poolPrefix = "pool."
}

/// Judges a header by itself: pure, and without knowledge of what exists.
extension Call {
    /// What a header means, or what in it is not allowed.
    init(untrusted untrustedHeader: CallHeader) throws(Refusal) {
        guard let service = ServiceName(rawValue: untrustedHeader.service) else {
            throw .noSuchService
        }
        guard let caller = QubeName(untrustedHeader.source) else {
            throw Refusal(.badRequest, "The caller's name is not the name of a qube.")
        }
        let target = try Self.target(untrusted: untrustedHeader.target)
        self.init(
            service: service, caller: caller, target: target,
            argument: try Self.argument(
                untrusted: untrustedHeader.argument, of: service, on: target))
    }

    /// A keyword is what qrexec makes of a target that does not exist: it must never come to mean
    /// the machine.
    private static func target(
        untrusted untrustedTarget: CallHeader.Target
    ) throws(Refusal) -> CallTarget {
        switch untrustedTarget {
        case .keyword("adminvm"), .name(QubeName.machine): return .machine
        case .keyword: return .nobody
        case .name(let untrustedName):
            let prefix = "uuid:"
            if untrustedName.hasPrefix(prefix) {
                guard let uuid = QubeID(String(untrustedName.dropFirst(prefix.count))) else {
                    throw badTarget
                }
                return .uuid(uuid)
            }
            guard let name = QubeName(untrustedName) else { throw badTarget }
            return .qube(name)
        }
    }

    private static let badTarget = Refusal(
        .badRequest, "The target must be the name of a qube, or dom0 for the machine.")

    private static func argument(
        untrusted untrustedArgument: String, of service: ServiceName, on target: CallTarget
    ) throws(Refusal) -> CallArgument {
        guard untrustedArgument.utf8.count <= Limits.argumentBytes else {
            throw Refusal(
                .badRequest, "The argument is longer than \(Limits.argumentBytes) bytes.")
        }
        switch service.kind {
        case .report, .check:
            return target == .machine
                ? try machineArgument(untrustedArgument) : try qubeArgument(untrustedArgument)
        case .start(let operation):
            guard target == .machine else { return try qubeArgument(untrustedArgument) }
            let argument = try machineArgument(untrustedArgument)
            if argument == .system, let refusal = operation.refusalOfSystem {
                throw Refusal(.badRequest, refusal)
            }
            return argument
        case .newData, .jobHold:
            // A property of a directory is of all volumes in it; what is for all qubes is a mount
            // option. A qube is trimmed as a whole, and no call holds the jobs of all.
            guard target != .machine, untrustedArgument.isEmpty else {
                throw Refusal(
                    .badRequest, "The target must be a qube, and the argument must be empty.")
            }
            return .whole
        case .jobList:
            guard untrustedArgument.isEmpty else {
                throw Refusal(.badRequest, "The argument must be empty.")
            }
            return .whole
        case .jobWatch, .control:
            guard let job = JobID(untrustedArgument) else {
                throw Refusal(
                    .badRequest,
                    "The argument must be a job: \(JobID.characters) hexadecimal digits,"
                        + " lowercase.")
            }
            return .job(job)
        }
    }

    private static func machineArgument(
        _ untrustedArgument: String
    ) throws(Refusal) -> CallArgument {
        if untrustedArgument.isEmpty { return .whole }
        if untrustedArgument == WorkerOrder.Volume.systemName { return .system }
        guard untrustedArgument.hasPrefix(CallArgument.poolPrefix),
            let pool = PlainName(
                String(untrustedArgument.dropFirst(CallArgument.poolPrefix.count)))
        else {
            throw Refusal(
                .badRequest,
                "With the machine as target, the argument must be empty, system, or pool.NAME with"
                    + " the name of a storage pool.")
        }
        return .pool(pool)
    }

    private static func qubeArgument(_ untrustedArgument: String) throws(Refusal) -> CallArgument {
        if untrustedArgument.isEmpty { return .whole }
        guard let volume = PlainName(untrustedArgument) else {
            throw Refusal(
                .badRequest,
                "With a qube as target, the argument must be empty or the name of one of its"
                    + " volumes, as root or private.")
        }
        return .volume(volume)
    }
}
