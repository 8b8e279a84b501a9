// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// A call whose header is well formed. Nothing is known yet of what exists or what the caller may
/// see.
struct JudgedCall: Equatable {
    /// What is asked for.
    let service: ServiceName
    /// The calling qube.
    let caller: String
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
    case qube(String)
    /// A qube by UUID, the prefix left out.
    case uuid(String)
}

/// What a call names as its argument.
enum CallArgument: Equatable, Sendable {
    /// All of the target.
    case whole
    /// A volume of the qube.
    case volume(String)
    /// An image pool of the machine.
    case pool(String)
    /// dom0's own files.
    case system
    /// A job.
    case job(String)

    /// As it stands in job records.
    var text: String {
        switch self {
        case .whole: ""
        case .system: WorkerOrder.Volume.systemName
        case .volume(let name), .job(let name): name
        case .pool(let name): CallArgument.poolPrefix + name
        }
    }

    static let poolPrefix = "pool."
}

/// Judges a header by itself: pure, and without knowledge of what exists.
enum Judge {
    /// What a header means, or what in it is not allowed.
    static func judge(_ untrustedHeader: CallHeader) throws(Refusal) -> JudgedCall {
        guard let service = ServiceName(rawValue: untrustedHeader.service) else {
            let known = ServiceName.allCases.map(\.rawValue).joined(separator: ", ")
            throw Refusal(.badRequest, "There is no such service; there are \(known).")
        }
        guard Names.isQube(untrustedHeader.source) else {
            throw Refusal(.badRequest, "The caller's name is not the name of a qube.")
        }
        let target = try judge(untrustedTarget: untrustedHeader.target)
        let argument = try judge(
            untrustedArgument: untrustedHeader.argument, of: service, on: target)
        return JudgedCall(
            service: service, caller: untrustedHeader.source, target: target, argument: argument)
    }

    /// A keyword is what qrexec makes of a target that does not exist: it must never come to mean
    /// the machine.
    private static func judge(
        untrustedTarget: CallHeader.Target
    ) throws(Refusal) -> CallTarget {
        switch untrustedTarget {
        case .keyword("adminvm"), .name(Names.machine): return .machine
        case .keyword: throw badTarget
        case .name(let untrustedName):
            let prefix = "uuid:"
            if untrustedName.hasPrefix(prefix) {
                let untrustedUUID = String(untrustedName.dropFirst(prefix.count))
                guard isUUID(untrustedUUID) else { throw badTarget }
                return .uuid(untrustedUUID)
            }
            guard Names.isQube(untrustedName) else { throw badTarget }
            return .qube(untrustedName)
        }
    }

    private static let badTarget = Refusal(
        .badRequest,
        "The target must be the name of a qube, or dom0 for the machine; a target that does not"
            + " exist, and keywords as @default and @dispvm, are refused.")

    private static func isUUID(_ text: String) -> Bool {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        return groups.map(\.utf8.count) == [8, 4, 4, 4, 12]
            && groups.joined().allSatisfy { $0.isHexDigit && !$0.isUppercase }
    }

    private static func judge(
        untrustedArgument: String, of service: ServiceName, on target: CallTarget
    ) throws(Refusal) -> CallArgument {
        guard untrustedArgument.utf8.count <= Limits.argumentBytes else {
            throw Refusal(
                .badRequest, "The argument is longer than \(Limits.argumentBytes) bytes.")
        }
        switch service.kind {
        case .report, .check, .start:
            return target == .machine
                ? try machineArgument(untrustedArgument) : try qubeArgument(untrustedArgument)
        case .newData:
            // A property of a directory is of all volumes in it; what is for all qubes is a mount
            // option.
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
            guard Names.isJob(untrustedArgument) else {
                throw Refusal(
                    .badRequest,
                    "The argument must be a job: \(Names.jobCharacters) hexadecimal digits,"
                        + " lowercase.")
            }
            return .job(untrustedArgument)
        }
    }

    private static func machineArgument(
        _ untrustedArgument: String
    ) throws(Refusal) -> CallArgument {
        if untrustedArgument.isEmpty { return .whole }
        if untrustedArgument == WorkerOrder.Volume.systemName { return .system }
        let untrustedPool = String(untrustedArgument.dropFirst(CallArgument.poolPrefix.count))
        guard untrustedArgument.hasPrefix(CallArgument.poolPrefix), Names.isPlain(untrustedPool)
        else {
            throw Refusal(
                .badRequest,
                "With the machine as target, the argument must be empty, system, or pool.NAME with"
                    + " the name of a storage pool.")
        }
        return .pool(untrustedPool)
    }

    private static func qubeArgument(_ untrustedArgument: String) throws(Refusal) -> CallArgument {
        if untrustedArgument.isEmpty { return .whole }
        guard Names.isPlain(untrustedArgument) else {
            throw Refusal(
                .badRequest,
                "With a qube as target, the argument must be empty or the name of one of its"
                    + " volumes, as root or private.")
        }
        return .volume(untrustedArgument)
    }
}
