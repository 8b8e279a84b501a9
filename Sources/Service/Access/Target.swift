// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

/// What a call is about, looked up: the machine, or a qube that the caller sees.
struct Target {
    /// Who asks.
    let caller: Caller
    /// All qubes and pools, those that the caller does not see among them.
    let inventory: Inventory
    /// The qube, or nil for the machine.
    let qube: Qube?
    /// dom0's own folders, absolute paths; none when the call is about a qube.
    let systemDirectories: [String]

    /// As job records name it.
    var name: String { qube?.name ?? QubeName.machine }

    /// A job is among those that a call on this target may ask about.
    func concerns(_ job: JobRecord) -> Bool {
        (qube == nil || qube?.name == job.target) && caller.sees(job)
    }

    /// dom0 may change every job. Another caller may change those of a qube that it has named, for
    /// policy has then judged that qube; on the machine those alone that it has asked for itself.
    func mayChange(_ job: JobRecord) -> Bool {
        concerns(job) && (caller.isMachine || qube != nil || job.caller == caller.name)
    }

    /// The qubes that the caller may know of.
    var visibleQubes: [Qube] {
        inventory.qubes.filter { $0.kind != Qube.adminKind && caller.sees($0.name) }
    }
}

/// Templates, as far as the caller may see them.
extension Target {
    /// The template of a qube.
    func template(of qube: Qube) -> Qube? {
        guard let name = qube.template, caller.sees(name) else { return nil }
        return inventory.qube(named: name)
    }

    /// A qube, what it starts from, what that starts from, and so on.
    private func lineage(of qube: Qube) -> [Qube] {
        var line = [qube]
        while line.count < Inventory.templateDepth, let above = template(of: line[line.count - 1]),
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
        Set(visibleQubes.filter { lineage(of: $0).contains { $0.name == name } }.map(\.name))
    }
}
