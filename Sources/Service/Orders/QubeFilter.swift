// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

/// Which of the qubes that a caller may see a report is about.
struct QubeFilter {
    /// The names that are left; nil when nothing was asked.
    let names: Set<String>?
    /// The names that are left out.
    let excluded: Set<String>

    /// A name that is not there and one that may not be seen get the same answer.
    init(_ request: ReportRequest, _ target: Target, _ qubes: QubesState) throws(Refusal) {
        excluded = try target.excluded(untrusted: request.exclude)
        guard request.qubes != nil || request.template != nil || request.running else {
            names = nil
            return
        }
        guard target.qube == nil else { throw .onlyOfTheMachine }
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

extension Target {
    /// Qubes that a call leaves out. One that is not there and one that may not be seen get the
    /// same answer: whoever means to leave a qube out must not be misheard.
    func excluded(untrusted untrustedNames: [String]?) throws(Refusal) -> Set<String> {
        guard let untrustedNames else { return [] }
        guard qube == nil else { throw .onlyOfTheMachine }
        let wanted = Set(untrustedNames)
        var known = Set(visibleQubes.map(\.name))
        if caller.sees(Qube.adminName) { known.insert(Qube.adminName) }
        guard wanted.isSubset(of: known) else { throw .noSuchQube }
        return wanted
    }
}

extension Refusal {
    fileprivate static let onlyOfTheMachine = Refusal(
        .badRequest,
        "The payload's qubes, template, running and exclude choose among the qubes of the machine;"
            + " the target must then be dom0.")
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
