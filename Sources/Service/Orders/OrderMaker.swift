// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

extension Inventory {
    /// The pools that a worker can be sent to.
    var workablePools: [WorkerOrder.Pool] {
        imagePools.compactMap { pool in
            guard let directory = pool.directory, directory.hasPrefix("/") else { return nil }
            return WorkerOrder.Pool(name: pool.name, directory: directory)
        }
    }

    /// The pools of other drivers, as a check looks at them.
    fileprivate var knownOthers: [WorkerOrder.OtherPool] {
        otherPools.prefix(Limits.namedItems).map { pool in
            WorkerOrder.OtherPool(
                name: pool.name, driver: pool.driver,
                directory: pool.directory.flatMap { $0.hasPrefix("/") ? $0 : nil })
        }
    }
}

extension WorkerOrder.Work {
    /// dom0's own files are among all that the machine has. Programs there may rely on what they
    /// have allocated, so that no holes are made in them; and what they are to be, packages know.
    fileprivate var includesSystem: Bool {
        switch self {
        case .report, .newData, .estimate, .check, .compress, .dedupe, .optimize, .defragment: true
        case .sparsify, .verify: false
        }
    }
}

extension WorkerOrder {
    /// The qubes that whoever has this order may touch.
    var touchedQubes: Set<String> {
        Set(volumes.filter { $0.selected && !$0.skipped }.map(\.qube))
    }
}

/// Makes a worker's order out of a target: which volumes it is about, and all others that may share
/// data with them.
struct OrderMaker {
    let target: Target
    private let argument: CallArgument
    /// The qubes that are left of the target's; nil for all.
    private let only: Set<String>?
    /// The qubes that are left out whatever else holds.
    private let excluded: Set<String>

    /// Refuses an argument that names nothing that exists, or that no worker can look at.
    /// - Parameters:
    ///   - only: narrows the target to these qubes.
    ///   - excluded: leaves these out of it.
    init(
        _ target: Target, _ argument: CallArgument, only: Set<String>? = nil,
        excluding excluded: Set<String> = []
    ) throws(Refusal) {
        self.target = target
        self.excluded = excluded
        self.argument = argument
        self.only = only
        guard argument == .system || !target.inventory.workablePools.isEmpty else {
            throw Refusal(
                .unsuitablePool,
                "This machine has no storage pool of the driver \(Pool.imageDriver)."
                    + " On Btrfs, 'qvm-pool add NAME \(Pool.imageDriver) -o dir_path=DIRECTORY' in"
                    + " dom0 makes one.")
        }
        switch argument {
        case .whole, .job: break
        case .system: guard target.caller.sees(Qube.adminName) else { throw .noSuchQube }
        case .pool(let name): try Self.check(pool: name.text, for: target)
        case .volume(let name):
            try Self.check(volume: name.text, of: target.qube, in: target.inventory)
        }
        if let qube = target.qube, qube.volumes.isEmpty {
            throw Refusal(.unsuitablePool, "The qube has no volume on this machine to work on.")
        }
        if let qube = target.qube, !qube.volumes.contains(where: isSelected(of: qube)) {
            throw Refusal(
                .unsuitablePool,
                "None of the qube's volumes lies on a storage pool of the driver"
                    + " \(Pool.imageDriver); 'qvm-clone -P POOL' puts a copy of it on one.")
        }
    }

    /// A pool on which the caller sees no qube is not there for it.
    private static func check(pool name: String, for target: Target) throws(Refusal) {
        let known = Reader(target).pools(target.inventory.workablePools.map(\.name))
        guard !known.contains(name) else { return }
        let names = known.compactMap { PlainName($0)?.text }
        throw Refusal(
            .unsuitablePool,
            "There is no storage pool of that name and of the driver \(Pool.imageDriver);"
                + " there is \(names.isEmpty ? "none" : names.joined(separator: ", ")).")
    }

    private static func check(
        volume name: String, of qube: Qube?, in inventory: Inventory
    ) throws(Refusal) {
        let volumes = qube?.volumes ?? []
        guard let volume = volumes.first(where: { $0.name == name }) else {
            let known = volumes.compactMap { PlainName($0.name)?.text }
            throw Refusal(
                .noSuchVolume,
                "The qube has no such volume; it has \(known.joined(separator: ", ")).")
        }
        guard inventory.workablePools.contains(where: { $0.name == volume.pool }) else {
            throw Refusal(
                .unsuitablePool,
                "The volume does not lie on a storage pool of the driver \(Pool.imageDriver).")
        }
    }

    /// What was asked does not leave this qube out.
    private func includes(_ qube: String) -> Bool {
        !excluded.contains(qube) && only?.contains(qube) ?? true
    }

    private var poolNames: Set<String> { Set(target.inventory.workablePools.map(\.name)) }

    /// The request is about this volume.
    private func isSelected(of qube: Qube) -> (Volume) -> Bool {
        let pools = poolNames
        return { volume in
            guard target.qube.map({ $0.name == qube.name }) ?? true,
                target.caller.sees(qube.name), pools.contains(volume.pool), includes(qube.name)
            else { return false }
            return switch argument {
            case .whole, .job: true
            case .system: false
            case .volume(let name): volume.name == name.text
            case .pool(let name): volume.pool == name.text
            }
        }
    }

    /// The order, and what of it is left alone for a reason that no worker knows.
    func order(
        _ work: WorkerOrder.Work, onBattery: Bool = false, risksReadOnly: Bool = false
    ) -> (order: WorkerOrder, problems: [Report.Problem]) {
        let names = poolNames
        var volumes: [WorkerOrder.Volume] = []
        for qube in target.inventory.qubes {
            let isSelected = isSelected(of: qube)
            let family = work == .report && target.qube == nil ? target.family(of: qube) : nil
            for volume in qube.volumes where names.contains(volume.pool) {
                let settings = try? target.inventory.settings(for: volume, of: qube)
                var item = Self.item(volume, of: qube, settings, selected: isSelected(volume))
                // What the caller does not see is compared with nothing: neither what a job frees
                // nor how long it takes then tells what that holds.
                if !target.caller.sees(qube.name) { item.dedupeGroup = Self.alone(volume) }
                item.family = item.selected ? family : nil
                volumes.append(item)
            }
        }
        let system = work.includesSystem ? systemVolume() : nil
        var order = WorkerOrder(
            work: work, pools: target.inventory.knownPools,
            volumes: volumes + target.inventory.protectedVolumes + (system.map { [$0] } ?? []),
            wholeMachine: target.qube == nil, onBattery: onBattery,
            risksReadOnly: risksReadOnly ? true : nil,
            systemDirectories: system == nil ? nil : target.certainSystemDirectories)
        if work == .check, target.qube == nil { order.otherPools = target.inventory.knownOthers }
        let wrong = wrongSettings(withSystem: system != nil)
        return (order, target.leftOutProblems + wrong.map(\.problem))
    }

    /// The volumes that the request is about.
    func selectedVolumes(of qube: Qube) -> [Volume] {
        qube.volumes.filter(isSelected(of: qube))
    }

    /// Dom0, where the request is about its own files as well.
    var systemQube: Qube? {
        guard target.qube == nil, argument == .whole || argument == .system,
            target.caller.sees(Qube.adminName), includes(Qube.adminName)
        else { return nil }
        return target.inventory.qubes.first { $0.kind == Qube.adminKind }
    }

    /// What stands for dom0's own files, when the call is about them. They are a dedupe group of
    /// their own, whatever is named as the default for qubes.
    private func systemVolume() -> WorkerOrder.Volume? {
        guard let admin = systemQube else { return nil }
        let volume = Volume(
            name: WorkerOrder.Volume.systemName, pool: "", identifier: "", snapshotOnStart: false,
            saveOnStop: true, sizeBytes: 0)
        let settings = try? target.inventory.settings(for: volume, of: admin)
        var item = Self.item(volume, of: admin, settings, selected: true)
        item.qube = WorkerOrder.Volume.systemQube
        item.dedupeGroup = "system"
        return item
    }

    /// The group of a volume that is compared with itself alone.
    private static func alone(_ volume: Volume) -> String {
        DedupeGroup.volume(pool: volume.pool, identifier: volume.identifier)
    }

    /// A feature that cannot be read may have meant `btrfs.skip`, so that the qube is left alone.
    private static func item(
        _ volume: Volume, of qube: Qube, _ settings: VolumeSettings?, selected: Bool
    ) -> WorkerOrder.Volume {
        var item = WorkerOrder.Volume(
            qube: qube.name, qubeKind: qube.kind, name: volume.name, pool: volume.pool,
            volumeIdentifier: volume.identifier, selected: selected,
            skipped: settings?.skip ?? true, isVolatile: volume.isVolatile,
            compressionLevel: settings?.compressionLevel,
            dedupeGroup: settings?.dedupeGroup ?? "malformed:\(qube.name):\(volume.name)")
        if settings?.followsSource == true { item.follows = true }
        return item
    }
}
