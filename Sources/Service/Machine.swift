// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes
internal import SystemPackage

/// What Qubes says of this machine, read anew for every call and every job.
struct Machine: Sendable {
    /// Qubes' own inventory.
    let qubesXML: FilePath
    /// qubesd.
    let qubesdSocket: FilePath
    /// Where dom0's own folders are.
    let systemRoot: FilePath

    /// All qubes and pools.
    func inventory() throws(Refusal) -> Inventory {
        do throws(InventoryError) {
            return try Inventory.read(path: qubesXML)
        } catch {
            throw .failed("The list of qubes could not be read.", detail: "\(error)")
        }
    }

    /// What a caller may see. Without an answer of qubesd a caller sees nothing, and is told so.
    func visibility(of caller: String) throws(Refusal) -> Visibility {
        if caller == Names.machine { return .everything }
        do throws(QubesdError) {
            let visible = try Qubesd(socketPath: qubesdSocket).visibleQubes(to: caller)
            return .qubes(Set(visible.map(\.name)))
        } catch {
            throw .failed(
                "qubesd did not say which qubes are visible to the caller.",
                detail: "\(qubesdSocket): \(error)")
        }
    }

    /// What a call is about, as it stands now and as far as the caller may know.
    func scope(
        of target: CallTarget, for caller: String
    ) throws(Refusal) -> Scope {
        let visibility = try visibility(of: caller)
        let inventory = try inventory()
        let named: Qube? =
            switch target {
            case .machine: nil
            case .qube(let name): inventory.qube(named: name)
            case .uuid(let uuid): inventory.qubes.first { $0.uuid == uuid }
            }
        if target == .machine {
            return Scope(
                inventory: inventory, visibility: visibility, qube: nil,
                systemDirectories: SystemDirectories.below(systemRoot))
        }
        // The machine is asked for by its name alone, so that policy can tell.
        guard let qube = named, qube.kind != "AdminVM", visibility.shows(qube.name) else {
            throw .noSuchQube
        }
        return Scope(
            inventory: inventory, visibility: visibility, qube: qube, systemDirectories: [])
    }
}

/// What exists and what a call is about.
struct Scope {
    /// All qubes and pools.
    let inventory: Inventory
    /// What the caller may know of.
    let visibility: Visibility
    /// The qube, or nil for the machine.
    let qube: Qube?
    /// dom0's own folders, absolute paths; none when the call is about a qube.
    let systemDirectories: [String]

    /// As job records name it.
    var targetName: String { qube?.name ?? Names.machine }

    /// What the caller may read.
    var redaction: Redaction { Redaction(visibility: visibility, inventory: inventory) }
}
