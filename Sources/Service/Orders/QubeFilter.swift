// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

/// Which of the qubes that a caller may see a report is about.
struct QubeFilter {
    /// The names that are left; nil when nothing was asked.
    let names: Set<String>?

    /// A name that is not there and one that may not be seen get the same answer.
    init(_ request: ReportRequest, _ target: Target, _ qubes: QubesState) throws(Refusal) {
        guard request != ReportRequest() else {
            names = nil
            return
        }
        guard target.qube == nil else {
            throw Refusal(
                .badRequest,
                "The payload's qubes, template and running choose among the qubes of the machine;"
                    + " the target must then be dom0.")
        }
        var names = Set(target.visibleQubes.map(\.name))
        if let untrustedNames = request.qubes {
            let wanted = Set(untrustedNames)
            guard wanted.isSubset(of: names) else { throw .noSuchQube }
            names = wanted
        }
        if let untrustedTemplate = request.template {
            guard target.visibleQubes.contains(where: { $0.name == untrustedTemplate }) else {
                throw .noSuchQube
            }
            names.formIntersection(target.descendants(of: untrustedTemplate))
        }
        if request.running {
            names.formIntersection(try qubes.running(visibleTo: target.caller))
        }
        self.names = names
    }
}

extension Report {
    /// With what Qubes says of each qube, as far as the caller may know.
    /// - Parameter running: the qubes in use; nil where qubesd did not say.
    mutating func describe(_ target: Target, running: Set<String>?) {
        for index in qubes.indices {
            let name = qubes[index].name
            qubes[index].isRunning = running.map { $0.contains(name) }
            qubes[index].template =
                target.inventory.qube(named: name).flatMap { target.template(of: $0)?.name }
        }
    }
}
