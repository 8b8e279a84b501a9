// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes
internal import SystemPackage

/// Which of the qubes that a caller may see a report is about.
struct Narrowing {
    /// The names that are left; nil when nothing was asked.
    let names: Set<String>?

    /// A name that is not there and one that may not be seen get the same answer.
    init(_ request: ReportRequest, _ scope: Scope, machine: Machine, caller: String)
        throws(Refusal)
    {
        guard request != ReportRequest() else {
            names = nil
            return
        }
        guard scope.qube == nil else {
            throw Refusal(
                .badRequest,
                "The payload's qubes, template and running choose among the qubes of the machine;"
                    + " the target must then be dom0.")
        }
        var names = Set(scope.visibleQubes.map(\.name))
        if let untrustedNames = request.qubes {
            let wanted = Set(untrustedNames)
            guard wanted.isSubset(of: names) else { throw .noSuchQube }
            names = wanted
        }
        if let untrustedTemplate = request.template {
            guard scope.visibleQubes.contains(where: { $0.name == untrustedTemplate }) else {
                throw .noSuchQube
            }
            names.formIntersection(scope.descendants(of: untrustedTemplate))
        }
        if request.running {
            let running = try machine.running(visibleTo: caller)
            names.formIntersection(running)
        }
        self.names = names
    }
}

extension Scope {
    /// The most templates one above the other; it ends a circle, too.
    private static let familyDepth = 8

    /// The qubes that the caller may know of.
    var visibleQubes: [Qube] {
        inventory.qubes.filter { $0.kind != Qube.adminKind && visibility.shows($0.name) }
    }

    /// The template of a qube, as far as the caller may see it.
    func template(of qube: Qube) -> Qube? {
        guard let name = qube.template, visibility.shows(name) else { return nil }
        return inventory.qube(named: name)
    }

    /// A qube, what it starts from, what that starts from, and so on, as far as can be seen.
    private func lineage(of qube: Qube) -> [Qube] {
        var line = [qube]
        while line.count < Self.familyDepth, let above = template(of: line[line.count - 1]),
            !line.contains(where: { $0.name == above.name })
        {
            line.append(above)
        }
        return line
    }

    /// The name of the family that a qube is counted in: that of the template at its root.
    func family(of qube: Qube) -> String { lineage(of: qube).last?.name ?? qube.name }

    /// A qube and all that start from it.
    func descendants(of name: String) -> Set<String> {
        Set(
            visibleQubes.filter { lineage(of: $0).contains { $0.name == name } }.map(\.name))
    }
}

extension Machine {
    /// The qubes in use, of those that a caller sees.
    func running(visibleTo caller: String) throws(Refusal) -> Set<String> {
        do throws(QubesdError) {
            let visible = try Qubesd(socketPath: qubesdSocket).visibleQubes(to: caller)
            return Set(visible.filter(\.state.isInUse).map(\.name))
        } catch {
            throw .failed(
                "qubesd did not say which qubes are running.", detail: "\(qubesdSocket): \(error)")
        }
    }
}
