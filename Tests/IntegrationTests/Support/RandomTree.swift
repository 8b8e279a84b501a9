// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol

/// A pool with everything that an account can meet: clones that were written to, revisions, second
/// names, all kinds of compression, holes, preallocated and inline extents, snapshots, subvolumes
/// and files of nobody. The same on every run with one seed.
final class RandomTree {
    static let qubes = ["alpha", "beta", "gamma", "delta"]
    private static let revision = "private.img.3@2026-01-02T03:04:05Z"
    private static let kinds = ["", "zlib", "lzo", "zstd"]

    let fileSystem: LoopFileSystem
    private var random: Content
    /// Every image, as a path.
    private(set) var images: [String] = []

    init(seed: UInt64) throws {
        fileSystem = try LoopFileSystem(mebibytes: 1536)
        random = Content(seed: seed)
        // One qube lies in a subvolume of its own.
        try Command.check(
            "btrfs", "subvolume", "create", fileSystem.image("appvms/gamma"))
        try make("vm-templates/deb/root.img")
        for name in Self.qubes { try make("appvms/\(name)/private.img") }
        try FileManager.default.linkItem(
            atPath: fileSystem.image("vm-templates/deb/root.img"),
            toPath: fileSystem.image("appvms/alpha/root.img"))
        images.append(fileSystem.image("appvms/alpha/root.img"))
        try makeStrangers()
        for round in 0..<3 {
            for _ in 0..<6 { try clone() }
            for path in images { try write(path, pieces: 3) }
            try fileSystem.synchronize()
            if round == 1 { try snapshot("early") }
        }
        try snapshot("late")
        for path in images { try write(path, pieces: 1) }
        try fileSystem.synchronize()
    }

    var volumes: [WorkerOrder.Volume] {
        [WorkerRun.volume("deb", "root", isTemplate: true), WorkerRun.volume("alpha", "root")]
            + Self.qubes.map { WorkerRun.volume($0) }
    }

    private func number(_ range: Range<Int>) -> Int {
        range.lowerBound + Int(random.next() % UInt64(range.count))
    }

    private func make(_ name: String) throws {
        let path = fileSystem.image(name)
        try Files.write(Data(), to: path)
        images.append(path)
        try write(path, pieces: 8)
    }

    private func makeStrangers() throws {
        for index in 0..<4 {
            let path = fileSystem.path + "/stranger-\(index)"
            try Files.clone(images[number(0..<images.count)], to: path)
            try write(path, pieces: 2)
        }
        // Too small for an extent of its own, packed and not.
        for (index, count) in [100, 1500].enumerated() {
            let path = fileSystem.image("appvms/beta/private.img.\(index + 7)@2026-01-02T03:04:05Z")
            try Files.write(Content.text(mebibytes: 1, seed: 9).prefix(count), to: path)
        }
    }

    /// A whole clone of one image over or beside another, as qubesd makes revisions and precaches.
    private func clone() throws {
        let source = images[number(0..<images.count)]
        let qube = Self.qubes[number(0..<Self.qubes.count)]
        let name = [Self.revision, "private-precache.img", "private.img"][number(0..<3)]
        let target = fileSystem.image("appvms/\(qube)/\(name)")
        guard source != target else { return }
        try? FileManager.default.removeItem(atPath: target)
        try Files.clone(source, to: target)
        if !images.contains(target) { images.append(target) }
    }

    private func snapshot(_ name: String) throws {
        // Of a subvolume, what lies in others is not in a snapshot of it.
        try Command.check(
            "btrfs", "subvolume", "snapshot", "-r", fileSystem.path,
            fileSystem.path + "/snapshot-" + name)
        try Command.check(
            "btrfs", "subvolume", "snapshot", fileSystem.image("appvms/gamma"),
            fileSystem.path + "/gamma-" + name)
    }

    /// Writes over, behind and between what is there; punches holes; reserves space.
    private func write(_ path: String, pieces: Int) throws {
        for _ in 0..<pieces {
            let offset = number(0..<6000) * 1024
            let length = number(1..<400) * 1024 + [0, 0, 0, 17][number(0..<4)]
            switch number(0..<8) {
            case 0:
                try Command.check(
                    "fallocate", "-o", "\(offset / 4096 * 4096)", "-l",
                    "\(length / 4096 * 4096 + 4096)", path)
            case 1:
                try Command.check(
                    "fallocate", "--punch-hole", "-o", "\(offset)", "-l", "\(length)", path)
            case 2...4:
                try fill(path, offset, Content.random(mebibytes: 1, seed: random.next()), length)
            default:
                let kind = Self.kinds[number(0..<Self.kinds.count)]
                _ = try Command.run(["btrfs", "property", "set", path, "compression", kind])
                try fill(path, offset, Content.text(mebibytes: 1, seed: random.next()), length)
                // Compression is chosen when the pages are written out.
                try Command.check("sync", path)
                _ = try Command.run(["btrfs", "property", "set", path, "compression", ""])
            }
        }
    }

    private func fill(_ path: String, _ offset: Int, _ data: Data, _ length: Int) throws {
        try Files.overwrite(path, atOffset: UInt64(offset), with: data.prefix(length))
    }
}
