// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// What Qubes says of this machine now: qubes.xml, and what qubesd shows to each caller.
///
/// qubesd evaluates its policy for every qube of the machine to say what one caller sees, so that
/// its word is kept for a moment: a caller that calls often is no work for qubesd. qubes.xml is
/// parsed again when it is another file than before.
final class QubesState: Sendable {
    /// What qubesd shows to a caller.
    private struct Shown {
        let names: Set<String>
        let running: Set<String>
    }

    /// Qubes.xml as it was when it was read.
    private struct Read {
        let status: FileStatus
        let inventory: Inventory
    }

    private struct Kept {
        var read: Read?
        var shown: [String: (at: ContinuousClock.Instant, result: Result<Shown, QubesdError>)] = [:]
        /// Callers that somebody asks qubesd about at this moment.
        var asking: Set<String> = []
    }

    private let qubesXML: FilePath
    private let qubesdSocket: FilePath
    private let systemRoot: FilePath
    private let keptSeconds: Double
    private let clock: MachineClock
    private let kept = Monitor(Kept())

    /// - Parameters:
    ///   - systemRoot: where dom0's own folders are.
    ///   - keptSeconds: how long qubesd's word on a caller counts.
    init(
        qubesXML: FilePath, qubesdSocket: FilePath, systemRoot: FilePath, keptSeconds: Double,
        clock: MachineClock
    ) {
        self.qubesXML = qubesXML
        self.qubesdSocket = qubesdSocket
        self.systemRoot = systemRoot
        self.keptSeconds = keptSeconds
        self.clock = clock
    }

    // MARK: What it says

    /// Who a caller is, and what it sees. Without an answer of qubesd a caller sees nothing, and is
    /// told so.
    func caller(_ name: String) throws(Refusal) -> Caller {
        if name == QubeName.machine { return .machine }
        return Caller(name: name, visibility: .qubes(try shown(to: name).names))
    }

    /// The qubes in use, of those that a caller sees.
    func running(visibleTo caller: Caller) throws(Refusal) -> Set<String> {
        try shown(to: caller.name).running
    }

    /// What a call is about, as it stands now and as far as the caller may know.
    func target(_ target: CallTarget, for callerName: String) throws(Refusal) -> Target {
        let caller = try caller(callerName)
        let inventory = try inventory()
        let named: Qube? =
            switch target {
            case .machine, .nobody: nil
            case .qube(let name): inventory.qube(named: name.text)
            case .uuid(let uuid): inventory.qubes.first { $0.uuid == uuid.text }
            }
        if target == .machine {
            return Target(
                caller: caller, inventory: inventory, qube: nil,
                systemDirectories: SystemDirectories.below(systemRoot))
        }
        // The machine is asked for by its name alone, so that policy can tell.
        guard let qube = named, qube.kind != Qube.adminKind, caller.sees(qube.name) else {
            throw .noSuchQube
        }
        return Target(caller: caller, inventory: inventory, qube: qube, systemDirectories: [])
    }

    // MARK: How it knows

    private func inventory() throws(Refusal) -> Inventory {
        // Taken before it is read: a file that takes its place meanwhile is read the next time.
        let status = try? Descriptor.open(qubesXML, .readOnly).status()
        if let status, let read = kept.withLock({ $0.read }), read.status == status {
            return read.inventory
        }
        do throws(InventoryError) {
            let inventory = try Inventory.read(path: qubesXML)
            if let status {
                kept.withLock { $0.read = Read(status: status, inventory: inventory) }
            }
            return inventory
        } catch {
            throw .failed("The list of qubes could not be read.", detail: "\(error)")
        }
    }

    /// What qubesd says of a caller, now or a moment ago. Of several calls at once one asks.
    private func shown(to caller: String) throws(Refusal) -> Shown {
        let known = kept.wait { [keptSeconds, clock] kept -> Result<Shown, QubesdError>?? in
            if let entry = kept.shown[caller],
                (clock.now() - entry.at).inSeconds < keptSeconds
            {
                return .some(entry.result)
            }
            return kept.asking.insert(caller).inserted ? .some(nil) : nil
        }
        let result = (known ?? nil) ?? ask(caller)
        do throws(QubesdError) {
            return try result.get()
        } catch {
            throw .failed(
                "qubesd did not say which qubes are visible to the caller.",
                detail: "\(qubesdSocket): \(error)")
        }
    }

    private func ask(_ caller: String) -> Result<Shown, QubesdError> {
        let result: Result<Shown, QubesdError>
        do throws(QubesdError) {
            let visible = try Qubesd(socketPath: qubesdSocket).visibleQubes(to: caller)
            result = .success(
                Shown(
                    names: Set(visible.map(\.name)),
                    running: Set(visible.filter(\.state.isInUse).map(\.name))))
        } catch {
            result = .failure(error)
        }
        kept.withLock { kept in
            kept.asking.remove(caller)
            let now = clock.now()
            kept.shown = kept.shown.filter { (now - $0.value.at).inSeconds < keptSeconds }
            kept.shown[caller] = (now, result)
        }
        return result
    }
}
