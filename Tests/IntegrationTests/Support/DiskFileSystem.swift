// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// A Btrfs over several loop devices, mounted while this lives, with a pool at its top.
final class DiskFileSystem {
    private let folder: String
    private var devices: [String] = []
    /// Where it is mounted.
    let path: String

    /// - Parameters:
    ///   - sizes: of each device, in mebibytes.
    ///   - options: of mkfs.btrfs.
    init(mebibytes sizes: [Int], options: [String]) throws {
        folder =
            FileManager.default.temporaryDirectory.path
            + "/qubes-btrfs-test-\(UUID().uuidString)"
        path = folder + "/mnt"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (index, size) in sizes.enumerated() {
            let backing = "\(folder)/disk\(index)"
            try Command.check("truncate", "-s", "\(size)M", backing)
            let device = try Command.check("losetup", "--find", "--show", backing).output
            devices.append(device.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let made = try Command.run(["mkfs.btrfs", "-q"] + options + devices)
        try #require(made.status == 0, "mkfs.btrfs")
        let others = devices.dropFirst().map { "device=\($0)" }
        try Command.check(
            "mount", "-o", (["rw"] + others).joined(separator: ","), devices[0], path)
    }

    deinit {
        _ = try? Command.run(["umount", path])
        for device in devices { _ = try? Command.run(["losetup", "--detach", device]) }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// What a mount says of itself.
    var isWritable: Bool {
        let probe = path + "/probe"
        defer { try? FileManager.default.removeItem(atPath: probe) }
        return (try? Data([1]).write(to: URL(fileURLWithPath: probe))) != nil
    }

    /// The path of an image.
    func image(_ name: String) -> String { path + "/" + name }

    func synchronize() throws {
        for _ in 0..<2 { try Command.check("btrfs", "filesystem", "sync", path) }
    }

    /// What is used, by the count of btrfs(8), each byte once.
    func used() throws -> (data: Int64, metadata: Int64) {
        try synchronize()
        let text = try Command.check("btrfs", "filesystem", "df", "--raw", path).output
        func sum(_ kind: String) -> Int64 {
            text.split(separator: "\n").filter { $0.hasPrefix(kind) }.reduce(0) {
                guard let range = $1.range(of: "used=") else { return $0 }
                return $0 + (Int64($1[range.upperBound...]) ?? 0)
            }
        }
        return (sum("Data"), sum("Metadata"))
    }

    /// Of what btrfs(8) says of a file system's use, the figure with this name, in bytes.
    func usage(_ name: String) throws -> UInt64 {
        let text = try Command.check("btrfs", "filesystem", "usage", "--raw", path).output
        let line = try #require(text.split(separator: "\n").first { $0.contains(name) })
        let part = try #require(line.range(of: name))
        return try #require(
            UInt64(line[part.upperBound...].drop { !$0.isNumber }.prefix { $0.isNumber }))
    }
}
