// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

/// What a caller may know of.
enum Visibility: Equatable, Sendable {
    /// dom0 itself: all there is.
    case everything
    /// The qubes that qubesd's own policy shows the caller.
    case qubes(Set<String>)

    /// The caller may know that this qube exists.
    func shows(_ qube: String) -> Bool {
        switch self {
        case .everything: true
        case .qubes(let names): names.contains(qube)
        }
    }

    /// A caller may know of a job on a qube that it sees; of a job on the machine only dom0 and who
    /// asked for it.
    func shows(_ job: JobRecord, to caller: String) -> Bool {
        if self == .everything { return true }
        return job.target == Names.machine ? job.caller == caller : shows(job.target)
    }
}

/// Drops from results what names qubes that the caller may not see: a job looks at all volumes that
/// share data with those it is about, and one of those may be what it has trouble with.
struct Redaction {
    let visibility: Visibility
    let inventory: Inventory

    /// The problems whose subject the caller may know of.
    func problems(_ problems: [Report.Problem]) -> [Report.Problem] {
        if visibility == .everything { return problems }
        return problems.filter { mayName($0.subject) }
    }

    /// The places in images of qubes that the caller may know of; where else the same content lies
    /// is for dom0 alone.
    private func unreadable(_ places: [UnreadablePlace]) -> [UnreadablePlace]? {
        let shown = places.filter { visibility.shows($0.qube) }.map { place in
            var place = place
            place.copies = nil
            return place
        }
        return shown.isEmpty ? nil : shown
    }

    /// A record as the caller may read it.
    func record(_ record: JobRecord) -> JobRecord {
        var record = record
        if let all = record.result?.problems { record.result?.problems = problems(all) }
        if visibility != .everything {
            let shown = record.result?.unreadable.flatMap(unreadable)
            record.result?.unreadable = shown
            record.result?.unreadableCount = shown.map { UInt64($0.count) }
            record.result?.deviceErrors = nil
        }
        record.result?.estimate?.qubes.removeAll { !visibility.shows($0.name) }
        return record
    }

    /// A subject is a qube, a pool, or a file of a volume: `POOL:PATH`, an absolute path, or a path
    /// below the pool's directory. Anything else is not shown.
    private func mayName(_ subject: String) -> Bool {
        if visibility.shows(subject) || inventory.pools.contains(where: { $0.name == subject }) {
            return true
        }
        let prefixes = inventory.imagePools.flatMap { [$0.name + ":", ($0.directory ?? "") + "/"] }
        let path =
            prefixes.first { $0.count > 1 && subject.hasPrefix($0) }
            .map { String(subject.dropFirst($0.count)) } ?? subject
        return inventory.qubes.contains { qube in
            visibility.shows(qube.name)
                && qube.volumes.contains { isFile(path, of: $0.identifier) }
        }
    }

    /// `appvms/work/private` itself, its images `.img...`, `-dirty.img` and so on.
    private func isFile(_ path: String, of volume: String) -> Bool {
        guard path.hasPrefix(volume) else { return false }
        let rest = path.dropFirst(volume.count)
        return rest.isEmpty || rest.hasPrefix(".img") || rest.hasPrefix("-")
    }
}
