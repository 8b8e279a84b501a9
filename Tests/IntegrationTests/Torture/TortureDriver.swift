// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol

/// What qubesd's driver, backups and people do to a pool while qubes run.
final class TortureDriver {
    private static let qubes = 5
    private static let templates = 2
    private static let snapshotsAtMost = 4
    /// The first is where the file system's root has dom0's; both lie on one file system.
    static let pools = ["var/lib/qubes", "second/pool"]

    let writer: TortureWriter
    private var model: TortureModel { writer.model }
    private var snapshots = 0
    private var revisions = 0

    init(_ disk: TortureDisk, _ random: TortureRandom) throws {
        writer = TortureWriter(TortureModel(disk), random)
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

    // MARK: Names

    private static func folder(_ qube: Int) -> String {
        "\(pools[qube == qubes - 1 ? 1 : 0])/appvms/q\(qube)"
    }

    private static func template(_ number: Int) -> String {
        "\(pools[0])/vm-templates/t\(number)/root.img"
    }

    private static func image(_ qube: Int) -> String { folder(qube) + "/private.img" }
    private static func dirty(_ qube: Int) -> String { folder(qube) + "/private-dirty.img" }
    private static func precache(_ qube: Int) -> String { folder(qube) + "/private-precache.img" }

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
        let qube = writer.random.number(0..<Self.qubes)
        switch writer.random.number(0..<40) {
        case 0...3: try isRunning(qube) ? stop(qube) : start(qube)
        case 4: try revert(qube)
        case 5: try resize(qube)
        case 6: try adopt(qube)
        case 7: try install(qube)
        case 8: if writer.random.chance(40) { try replace(qube) }
        case 9: try root(writer.random.number(0..<Self.templates))
        case 10...11: try snapshot()
        case 12: try removeSnapshot()
        case 13: try stranger()
        case 14: try model.disk.synchronize()
        case 15...19: try writer.look()
        case 20...29 where isRunning(qube):
            try writer.change(Self.dirty(qube))
        default: try writer.change(writer.random.pick(model.writable))
        }
    }

    private func isRunning(_ qube: Int) -> Bool { model.files[Self.dirty(qube)] != nil }

    private func create(_ qube: Int) throws {
        try writer.make(Self.image(qube), pieces: 8, isNoCow: writer.random.chance(10))
        try writer.clone(Self.image(qube), to: Self.precache(qube))
    }

    private func start(_ qube: Int) throws {
        if model.files[Self.precache(qube)] != nil {
            return try writer.rename(Self.precache(qube), to: Self.dirty(qube))
        }
        let temporary = Self.dirty(qube) + "~abcdefgh"
        try writer.clone(Self.image(qube), to: temporary)
        try writer.rename(temporary, to: Self.dirty(qube))
    }

    private func stop(_ qube: Int) throws {
        try revise(qube)
        let file = try TortureFile(model.path(Self.dirty(qube)), O_RDONLY)
        try file.synchronize()
        try writer.rename(Self.dirty(qube), to: Self.image(qube))
        try renewPrecache(qube)
    }

    private func renewPrecache(_ qube: Int) throws {
        if model.files[Self.precache(qube)] != nil { try writer.remove(Self.precache(qube)) }
        try writer.clone(Self.image(qube), to: Self.precache(qube))
    }

    /// The clean image becomes a revision as well, and the oldest go.
    private func revise(_ qube: Int) throws {
        revisions += 1
        let minute = String(format: "%02d:%02d", revisions / 60 % 60, revisions % 60)
        try writer.clone(
            Self.image(qube), to: Self.image(qube) + ".\(revisions)@2026-01-02T03:\(minute)Z")
        let old = ofImage(qube)
        for name in old.prefix(max(0, old.count - 2)) { try writer.remove(name) }
    }

    private func ofImage(_ qube: Int) -> [String] {
        model.names(startingWith: Self.image(qube) + ".").sorted {
            let numbers = [$0, $1].map { name in
                Int(name.dropFirst(Self.image(qube).count + 1).prefix { $0 != "@" }) ?? 0
            }
            return numbers[0] < numbers[1]
        }
    }

    private func revert(_ qube: Int) throws {
        guard !isRunning(qube), let newest = ofImage(qube).last else { return }
        let kept = newest + "~abcdefgh"
        try writer.clone(newest, to: kept)
        try revise(qube)
        try writer.rename(kept, to: Self.image(qube))
        try renewPrecache(qube)
    }

    private func resize(_ qube: Int) throws {
        if isRunning(qube), let node = model.files[Self.dirty(qube)] {
            return try writer.resize(Self.dirty(qube), node)
        }
        let temporary = Self.image(qube) + "~abcdefgh"
        try writer.clone(Self.image(qube), to: temporary)
        if let node = model.files[temporary] { try writer.resize(temporary, node) }
        try writer.rename(temporary, to: Self.image(qube))
    }

    /// Another qube's image becomes this one's, as when a qube is cloned.
    private func adopt(_ qube: Int) throws {
        let other = (qube + 1) % Self.qubes
        let importing = Self.folder(qube) + "/private-import.img"
        try writer.clone(Self.image(other), to: importing)
        try revise(qube)
        try writer.rename(importing, to: Self.image(qube))
        try renewPrecache(qube)
    }

    /// A restored backup: a new file in a few pieces, then a rename.
    private func install(_ qube: Int) throws {
        let importing = Self.folder(qube) + "/private-import.img"
        try writer.make(importing, pieces: 6)
        try writer.rename(importing, to: Self.image(qube))
        try renewPrecache(qube)
    }

    /// A qube is removed, and one of that name created.
    private func replace(_ qube: Int) throws {
        for name in model.names(startingWith: Self.folder(qube) + "/private") {
            try writer.remove(name)
        }
        try create(qube)
    }

    /// The root of a qube is another name of its template's while it runs; a template changes by a
    /// rename.
    private func root(_ template: Int) throws {
        let folder = Self.folder(0)
        let isLinkable = model.subvolume(of: folder + "/root.img") == ""
        if model.files[folder + "/root.img"] != nil {
            try writer.remove(folder + "/root.img")
            try writer.remove(folder + "/root-dirty.img")
        } else if isLinkable {
            try writer.link(Self.template(template), to: folder + "/root.img")
            try writer.clone(Self.template(template), to: folder + "/root-dirty.img")
        } else {
            let temporary = Self.template(template) + "~abcdefgh"
            try writer.clone(Self.template(template), to: temporary)
            try writer.change(temporary)
            try writer.rename(temporary, to: Self.template(template))
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
        writer.note("subvolume \(name)")
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
        writer.note("snapshot \(isReadOnly ? "-r " : "")\(subvolume) \(name)")
    }

    private func removeSnapshot() throws {
        let old = model.subvolumes.filter { $0.hasPrefix("snapshot-") }
        guard !old.isEmpty else { return }
        let name = writer.random.pick(old)
        try Command.check("btrfs", "subvolume", "delete", model.path(name))
        model.removeSubvolume(name)
        writer.note("delete \(name)")
    }
}
