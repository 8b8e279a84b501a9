// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// What a backup that takes up changes alone sees of a job, which has changed nothing that can be
/// read.
@Suite("Incremental backups after a job", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct IncrementalBackupTests {
    private static let mebibytes = 48

    private func number(_ text: String) throws -> Int {
        try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)), "\(text)")
    }

    private func snapshot(_ name: String, of fileSystem: LoopFileSystem) throws -> String {
        let path = "\(fileSystem.path)/\(name)"
        try Command.check("btrfs", "subvolume", "snapshot", "-r", fileSystem.path, path)
        try fileSystem.synchronize()
        return path
    }

    /// Where a backup that goes by generations would begin the next time.
    private func marker(_ path: String) throws -> String {
        let line = try Command.check("btrfs", "subvolume", "find-new", path, "99999999").output
        return String(try #require(line.split(whereSeparator: \.isWhitespace).last))
    }

    /// The bytes that `btrfs subvolume find-new` lists of what is newer.
    private func newerBytes(_ path: String, since marker: String) throws -> Int {
        try number(
            Command.check(
                "sh", "-c",
                "btrfs subvolume find-new \"$1\" \"$2\""
                    + " | awk '$1 == \"inode\" { sum += $7 } END { print sum + 0 }'",
                "sh", path, marker
            ).output)
    }

    @Test("An incremental send takes up nothing of it, and what is received is the same")
    func incrementalSend() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 2048)
        let other = try LoopFileSystem(mebibytes: 1024)
        let work = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: Self.mebibytes, seed: 1), to: work)
        // Not a clone: there is something to share.
        try Files.copy(work, to: fileSystem.image("appvms/copy/private.img"))
        let before = try snapshot("before", of: fileSystem)
        try Command.check(
            "sh", "-c", "btrfs -q send \"$1\" | btrfs -q receive \"$2\"", "sh",
            before, other.path)
        let inventory = try fileSystem.inventory()
        let marker = try marker(fileSystem.path)
        let result = try WorkerRun.job(
            WorkerRun.optimize, [WorkerRun.volume("work"), WorkerRun.volume("copy")],
            on: fileSystem)
        #expect(result.savedBytes > 80 << 20)
        #expect(try fileSystem.inventory() == inventory)
        let after = try snapshot("after", of: fileSystem)
        let sent = try number(
            Command.check("sh", "-c", "btrfs -q send -p \"$1\" \"$2\" | wc -c", "sh", before, after)
                .output)
        #expect(sent < 64 << 10, "\(sent) bytes were sent")
        try Command.check(
            "sh", "-c", "btrfs -q send -p \"$1\" \"$2\" | btrfs -q receive \"$3\"", "sh", before,
            after, other.path)
        try Command.check(
            "cmp", work, other.path + "/after" + work.dropFirst(fileSystem.path.count))
        // Who goes by generation sees all that was moved, and takes it up again.
        let newer = try newerBytes(fileSystem.path, since: marker)
        print("\(sent) bytes were sent, \(newer) bytes are newer")
        #expect(newer >= Self.mebibytes << 20, "\(newer) bytes are newer")
    }
}
