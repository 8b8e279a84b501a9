// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

extension Redaction {
    /// A report as its caller may read it. The worker knows what was asked for; that no more gets
    /// out is judged here again.
    func report(_ report: Report, _ order: WorkerOrder) -> Report {
        var report = report
        let asked = Set(order.volumes.filter(\.selected).map(\.qube))
        report.qubes.removeAll { !asked.contains($0.name) }
        report.families = sets(report.families, asked).filter { visibility.shows($0.name) }
        report.pools = sets(report.pools, asked)
        // A group's name may come from a qube that the caller does not see.
        report.groups = visibility == .everything ? sets(report.groups, asked) : []
        if !order.wholeMachine {
            report.fileSystems = []
            report.machine = nil
        }
        report.history = nil
        report.problems = problems(report.problems)
        return report
    }

    /// Without the names of others; what is counted is what was asked for.
    private func sets(_ sets: [QubeSet]?, _ asked: Set<String>) -> [QubeSet] {
        (sets ?? []).map { set in
            var set = set
            set.qubes.removeAll { !asked.contains($0) }
            return set
        }.filter { !$0.qubes.isEmpty }
    }
}

extension Report {
    /// With what Qubes says of each qube, as far as the caller may know.
    /// - Parameter running: the qubes in use; nil where qubesd did not say.
    mutating func describe(_ scope: Scope, running: Set<String>?) {
        for index in qubes.indices {
            let name = qubes[index].name
            qubes[index].isRunning = running.map { $0.contains(name) }
            qubes[index].template =
                scope.inventory.qube(named: name).flatMap { scope.template(of: $0)?.name }
        }
    }
}
