// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// What a caller may know of.
enum Visibility: Equatable, Sendable {
    /// dom0 itself: all there is.
    case everything
    /// The qubes that qubesd's own policy shows the caller.
    case qubes(Set<String>)
}

/// Who calls, and what it sees.
struct Caller: Equatable, Sendable {
    let name: String
    let visibility: Visibility

    /// dom0 itself.
    static let machine = Caller(name: QubeName.machine, visibility: .everything)

    /// It is dom0.
    var isMachine: Bool { visibility == .everything }

    /// It may know that this qube exists.
    func sees(_ qube: String) -> Bool {
        switch visibility {
        case .everything: true
        case .qubes(let names): names.contains(qube)
        }
    }

    /// It may know of a job on a qube that it sees; of a job on the machine only if it has asked
    /// for it itself.
    func sees(_ job: JobRecord) -> Bool {
        if isMachine { return true }
        return job.target == QubeName.machine ? job.caller == name : sees(job.target)
    }
}
