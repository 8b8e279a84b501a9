// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// A Btrfs of one of many kinds over loop devices, mounted while this lives.
final class TortureDisk {
    struct Unsound: Error, CustomStringConvertible {
        let description: String
    }

    /// How a file system was made and is mounted.
    struct Kind {
        let devices: Int
        let options: [String]
        let mount: [String]
        let quota: Quota?
        /// The kernel (6.18) forgets how long a file is when something is written to room behind its
        /// end that was set aside before the file system was mounted: see docs/reliability.md.
        var losesWhatIsReserved: Bool { options.contains { $0.contains("^no-holes") } }
        var name: String {
            (options + mount.map { "-o \($0)" } + (quota.map { ["quota: \($0)"] } ?? []))
                .joined(separator: " ")
        }
    }

    /// How Btrfs knows what a subvolume takes.
    enum Quota {
        /// It looks for all that share.
        case counted
        /// It knows who has written first; where btrfs(8) cannot ask for that, it counts.
        case simple
    }

    private static let mebibytes = 3072

    let folder: String
    let path: String
    let kind: Kind
    private var devices: [String] = []

    init(_ kind: Kind) throws {
        self.kind = kind
        folder =
            FileManager.default.temporaryDirectory.path
            + "/qubes-btrfs-torture-\(UUID().uuidString)"
        path = folder + "/mnt"
        for name in ["mnt", "cache", "state"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        for number in 0..<kind.devices {
            let backing = "\(folder)/disk\(number)"
            try Command.check("truncate", "-s", "\(Self.mebibytes)M", backing)
            let device = try Command.check("losetup", "--find", "--show", backing).output
            devices.append(device.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let made = try Command.run(["mkfs.btrfs", "-q"] + kind.options + devices)
        if made.status != 0 { throw Unsound(description: "mkfs.btrfs: \(made.errors)") }
        try mount()
        if let quota = kind.quota { try enable(quota) }
    }

    deinit {
        _ = try? Command.run(["umount", path])
        for device in devices { _ = try? Command.run(["losetup", "--detach", device]) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// A kind by chance.
    static func kind(_ random: inout TortureRandom) -> Kind {
        let isMixed = random.chance(15)
        var options = ["--csum", random.pick(["crc32c", "xxhash", "sha256", "blake2"])]
        var devices = 1
        if isMixed {
            options += ["--mixed", "--nodesize", "4096"]
        } else {
            options += ["--nodesize", random.pick(["4096", "16384", "65536"])]
            switch random.number(0..<6) {
            case 0:
                devices = 2
                options += ["--data", "raid1", "--metadata", "raid1"]
            case 1: options += ["--data", "dup", "--metadata", "dup"]
            case 2: options += ["--data", "single", "--metadata", "single"]
            default: options += ["--data", "single", "--metadata", "dup"]
            }
        }
        switch random.number(0..<4) {
        case 0: options += ["--features", "^no-holes"]
        case 1:
            options += [
                "--features", "^no-holes,^skinny-metadata,^extref",
                "--runtime-features", "^free-space-tree",
            ]
        default: break
        }
        let mount = random.pick([
            [], [], ["compress=zstd:3"], ["compress-force=lzo"], ["discard=async"], ["commit=1"],
        ])
        let quota = random.pick([nil, nil, nil, nil, Quota.counted, .simple])
        return Kind(devices: devices, options: options, mount: mount, quota: quota)
    }

    private func mount() throws {
        let others = devices.dropFirst().map { "device=\($0)" }
        try Command.check(
            "mount", "-o", (["rw"] + kind.mount + others).joined(separator: ","), devices[0], path)
    }

    private func unmount() throws {
        try Command.check("umount", path)
        // Tests beside this one have mount namespaces of their own (`NamespaceTests`): each has a
        // copy of what was mounted when it was made, and keeps the device busy until it ends.
        for _ in 0..<Self.looks where !isFree { usleep(Self.pauseMicroseconds) }
        guard isFree else { throw Unsound(description: "\(devices[0]) stays busy, unmounted") }
    }

    private static let looks = 6000
    private static let pauseMicroseconds: UInt32 = 10_000

    /// Nobody has it mounted, anywhere.
    private var isFree: Bool {
        let descriptor = unsafe open(devices[0], O_RDONLY | O_EXCL | O_CLOEXEC)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    /// Unmounts, looks at every tree, and mounts again, with nothing left in memory. Whoever held
    /// something open would keep it from being unmounted.
    func checkTrees() throws {
        try unmount()
        // By force: else it looks at all that is mounted, and fails by a device of another test.
        let checked = try Command.run(["btrfs", "check", "--readonly", "--force", devices[0]])
        if checked.status != 0 {
            throw Unsound(description: "btrfs check: \(checked.output)\(checked.errors)")
        }
        try mount()
    }

    /// Inodes without a name that a deletion or a scratch file has left behind, for good.
    func orphans() throws -> Int {
        try unmount()
        let count = try Command.check(
            "sh", "-c",
            "btrfs inspect-internal dump-tree \(devices[0]) | awk '/ tree key /"
                + " { isFiles = /^(fs|file) tree/ } isFiles && /ORPHAN_ITEM/ { n++ }"
                + " END { print n + 0 }'")
        try mount()
        return Int(count.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
    }

    /// Reads all that there is against its checksums.
    func scrub() throws {
        let scrubbed = try Command.run(["btrfs", "scrub", "start", "-B", path])
        guard scrubbed.status == 0, scrubbed.output.contains("no errors found") else {
            throw Unsound(description: "btrfs scrub: \(scrubbed.output)\(scrubbed.errors)")
        }
    }

    /// Commits, until what was freed has come back.
    func synchronize() throws {
        try Command.check("btrfs", "filesystem", "sync", path)
        try Command.check("btrfs", "subvolume", "sync", path)
        try Command.check("btrfs", "filesystem", "sync", path)
    }

    /// What is used, by the count of btrfs(8), on all devices together.
    func usedBytes() throws -> (data: Int64, all: Int64) {
        try synchronize()
        var data: Int64 = 0
        var all: Int64 = 0
        let text = try Command.check("btrfs", "filesystem", "df", "--raw", path).output
        for line in text.split(separator: "\n") where !line.hasPrefix("GlobalReserve") {
            guard let range = line.range(of: "used=") else { continue }
            let isTwice = line.contains("DUP") || line.contains("RAID1")
            let used = (Int64(line[range.upperBound...]) ?? 0) * (isTwice ? 2 : 1)
            all += used
            if line.hasPrefix("Data") { data += used }
        }
        return (data, all)
    }
}

/// Chance that is the same on every run with one seed.
struct TortureRandom {
    private var content: Content

    init(seed: UInt64, _ parts: UInt64...) {
        // Each part goes through all bits, so that neighbours have nothing in common.
        var state = seed
        for part in parts {
            state = (state ^ part &* 0x9e37_79b9_7f4a_7c15) &* 0xbf58_476d_1ce4_e5b9
            state ^= state >> 31
        }
        content = Content(seed: state)
        for _ in 0..<8 { _ = content.next() }
    }

    mutating func next() -> UInt64 { content.next() }

    mutating func number(_ range: Range<Int>) -> Int {
        range.lowerBound + Int((content.next() >> 16) % UInt64(range.count))
    }

    mutating func chance(_ percent: Int) -> Bool { number(0..<100) < percent }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[number(0..<elements.count)]
    }
}
