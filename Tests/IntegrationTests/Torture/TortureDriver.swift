// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol

/// What qubesd's driver (see `drive`), backups and people do to a pool while qubes run.
final class TortureDriver {
    static let qubes = 5
    static let templates = 2
    private static let snapshotsAtMost = 4
    /// The first is where the file system's root has dom0's; both lie on one file system.
    static let pools = ["var/lib/qubes", "second/pool"]

    let writer: TortureWriter
    let reflink: TortureReflink
    /// Whether a job runs just now.
    var isBesideJob: () -> Bool = { false }
    /// Of what the driver has done, and none of what others have.
    var times = TortureTimes()
    var revisions = 0
    var model: TortureModel { writer.model }
    private var snapshots = 0

    init(_ disk: TortureDisk, _ random: TortureRandom) throws {
        writer = TortureWriter(TortureModel(disk), random)
        reflink = TortureReflink(writer)
        for pool in Self.pools {
            for folder in ["appvms", "vm-templates"] {
                try FileManager.default.createDirectory(
                    atPath: model.path("\(pool)/\(folder)"), withIntermediateDirectories: true)
            }
        }
        for qube in 0..<Self.qubes where writer.random.chance(30) {
            try makeSubvolume(Self.folder(qube))
        }
        for template in 0..<Self.templates {
            try writer.make(Self.template(template), pieces: 8)
        }
        for qube in 0..<Self.qubes { try create(qube) }
        for stranger in 0..<4 {
            try writer.make(
                "home/stranger-\(stranger)", pieces: 3, isNoCow: writer.random.chance(25))
        }
        for _ in 0..<30 { try step() }
    }

    /// Every volume, as an order names them.
    static func volumes() -> [WorkerOrder.Volume] {
        var volumes: [WorkerOrder.Volume] = []
        for qube in 0..<qubes {
            var volume = WorkerRun.volume("q\(qube)")
            volume.pool = qube == qubes - 1 ? "second" : "pool"
            volumes.append(volume)
        }
        for template in 0..<templates {
            volumes.append(WorkerRun.volume("t\(template)", "root", isTemplate: true))
        }
        return volumes + [WorkerRun.volume("q0", "root")]
    }

    // MARK: One step

    /// One operation by chance.
    func step() throws {
        switch writer.random.number(0..<40) {
        case 0...9: try drive()
        case 10...11: try snapshot()
        case 12: try removeSnapshot()
        case 13: try stranger()
        case 14: try model.disk.synchronize()
        case 15...19: try writer.look()
        case 20...29:
            let running = (0..<Self.qubes).filter(isRunning)
            guard !running.isEmpty else { return }
            try writer.change(Self.dirty(writer.random.pick(running)))
        default: try writer.change(writer.random.pick(model.writable))
        }
    }

    private func stranger() throws {
        let name = "home/stranger-\(writer.random.number(0..<4))"
        if model.files[name] != nil { try writer.remove(name) }
        if writer.random.chance(50) {
            try writer.clone(writer.random.pick(model.files.keys.sorted()), to: name)
        } else {
            try writer.make(name, pieces: 3, isNoCow: writer.random.chance(25))
        }
    }

    // MARK: Subvolumes

    private func makeSubvolume(_ name: String) throws {
        try Command.check("btrfs", "subvolume", "create", model.path(name))
        model.addSubvolume(name)
        writer.did("subvolume \(name)")
    }

    private func snapshot() throws {
        let old = model.subvolumes.filter { $0.hasPrefix("snapshot-") }
        if old.count >= Self.snapshotsAtMost { return try removeSnapshot() }
        snapshots += 1
        let name = "snapshot-\(snapshots)"
        let subvolume = writer.random.pick(model.subvolumes)
        let isReadOnly = writer.random.chance(60)
        try Command.check(
            "sh", "-c", "btrfs subvolume snapshot $0 \"$1\" \"$2\"", isReadOnly ? "-r" : "",
            model.path(subvolume), model.path(name))
        try model.addSnapshot(name, of: subvolume, isReadOnly: isReadOnly)
        writer.did("snapshot \(isReadOnly ? "-r " : "")\(subvolume) \(name)")
    }

    private func removeSnapshot() throws {
        let old = model.subvolumes.filter { $0.hasPrefix("snapshot-") }
        guard !old.isEmpty else { return }
        let name = writer.random.pick(old)
        try Command.check("btrfs", "subvolume", "delete", model.path(name))
        model.removeSubvolume(name)
        writer.did("delete \(name)")
    }
}
