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
        /// It lies on a small device that keeps what is written to it.
        let isRecorded: Bool
        /// The kernel (6.18) forgets how long a file is when something is written to room behind
        /// its end that was set aside before it was mounted: see docs/reliability.md.
        var losesWhatIsReserved: Bool { options.contains { $0.contains("^no-holes") } }
        var name: String {
            (options + mount.map { "-o \($0)" }).joined(separator: " ")
                + (isRecorded ? ", recorded" : "")
        }
    }

    private static let mebibytes = 3072
    private static let recordedMebibytes = 1024

    let folder: String
    let path: String
    let kind: Kind
    /// Where what is written is kept, if it is.
    let recorder: FaultDevice?
    private var devices: [String] = []
    /// Of these the one that is mounted, or what stands in for it.
    private var mounted = ""

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
        recorder =
            kind.isRecorded ? try FaultDevice(mebibytes: Self.recordedMebibytes) : nil
        if let recorder { devices.append(recorder.path) }
        for number in devices.count..<kind.devices {
            let backing = "\(folder)/disk\(number)"
            try Command.check("truncate", "-s", "\(Self.mebibytes)M", backing)
            let device = try Command.check("losetup", "--find", "--show", backing).output
            devices.append(device.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let made = try Command.run(["mkfs.btrfs", "-q"] + kind.options + devices)
        if made.status != 0 { throw Unsound(description: "mkfs.btrfs: \(made.errors)") }
        try mount()
    }

    deinit {
        _ = try? Command.run(["umount", path])
        // A recorder detaches its own.
        for device in devices where device != recorder?.path {
            _ = try? Command.run(["losetup", "--detach", device])
        }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// A kind by chance.
    /// - Parameter isRecorded: whether it lies on a device that keeps what is written; nil for
    ///   chance.
    static func kind(_ random: inout TortureRandom, isRecorded: Bool? = nil) -> Kind {
        let mayBeRecorded = random.chance(12)
        let isRecorded = isRecorded ?? mayBeRecorded
        let isMixed = random.chance(15)
        var options = ["--csum", random.pick(["crc32c", "xxhash", "sha256", "blake2"])]
        var devices = 1
        if isMixed {
            options += ["--mixed", "--nodesize", "4096"]
        } else {
            options += ["--nodesize", random.pick(["4096", "16384", "65536"])]
            switch random.number(0..<6) {
            case 0 where !isRecorded:
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
        return Kind(
            devices: devices, options: options, mount: mount, isRecorded: isRecorded)
    }

    /// - Parameter replayed: another device to mount in its place.
    func mount(_ replayed: String? = nil) throws {
        let others = devices.dropFirst().map { "device=\($0)" }
        try Command.check(
            "mount", "-o", (["rw"] + kind.mount + others).joined(separator: ","),
            replayed ?? devices[0], path)
        mounted = replayed ?? devices[0]
    }

    func unmount() throws {
        try Command.check("umount", path)
        // Tests beside this one have mount namespaces of their own (`NamespaceTests`): each has a
        // copy of what was mounted when it was made, and keeps the device busy until it ends.
        for _ in 0..<Self.looks where !isFree { usleep(Self.pauseMicroseconds) }
        guard isFree else { throw Unsound(description: "\(mounted) stays busy, unmounted") }
    }

    private static let looks = 6000
    private static let pauseMicroseconds: UInt32 = 10_000

    /// Nobody has it mounted, anywhere.
    private var isFree: Bool {
        let descriptor = unsafe open(mounted, O_RDONLY | O_EXCL | O_CLOEXEC)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }

    /// Unmounts, looks at every tree, and mounts again, with nothing left in memory. Whoever held
    /// something open would keep it from being unmounted.
    func checkTrees() throws {
        try unmount()
        try checkTrees(on: devices[0])
        try mount()
    }

    func checkTrees(on device: String) throws {
        // By force: else it looks at all that is mounted, and fails by a device of another test.
        let checked = try Command.run(["btrfs", "check", "--readonly", "--force", device])
        if checked.status != 0 {
            throw Unsound(description: "btrfs check: \(checked.output)\(checked.errors)")
        }
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

    /// Trees have room, or the devices have some that is nobody's yet.
    func mayGiveTreesMore() throws -> Bool {
        let text = try Command.check("btrfs", "filesystem", "usage", "--raw", path).output
        let line = text.split(separator: "\n").first { $0.contains("Device unallocated:") }
        let unallocated = line?.split { !$0.isNumber }.first.flatMap { Int64($0) } ?? 0
        return try isMixed || max(unallocated, treeRoomBytes()) >= 256 << 20
    }

    /// Trees and data have the same block groups: nobody can tell them apart.
    var isMixed: Bool { kind.name.contains("--mixed") }

    /// What trees may take before more of the device is given to them; 0 where groups are mixed.
    func treeRoomBytes() throws -> Int64 {
        let text = try Command.check("btrfs", "filesystem", "df", "--raw", path).output
        var room: Int64 = 0
        for line in text.split(separator: "\n") {
            let numbers = line.split { !$0.isNumber }.compactMap { Int64($0) }.suffix(2)
            guard let total = numbers.first, let used = numbers.last else { continue }
            if line.hasPrefix("Metadata,") { room += total - used }
            if line.hasPrefix("GlobalReserve") { room -= total }
        }
        return max(0, room)
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
