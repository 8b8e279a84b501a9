// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A subvolume that may not grow.
@Suite("Quotas on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct QuotaTests {
    @Test("Where a quota leaves no room a job says so, and what to do; with room it is done")
    func scratch() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        try Files.write(
            Content.text(mebibytes: 8, seed: 1), to: fileSystem.image("appvms/work/private.img"))
        let other = fileSystem.path + "/other"
        try Command.check("btrfs", "subvolume", "create", other)
        try Command.check("btrfs", "quota", "enable", fileSystem.path)
        try Command.check("btrfs", "quota", "rescan", "-w", fileSystem.path)
        try Command.check("btrfs", "qgroup", "limit", "1M", fileSystem.path)
        let inventory = try fileSystem.inventory()
        let order = WorkerRun.order(
            WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        guard case .failure(let kind, let message, _)? = try WorkerRun.messages(order).last else {
            Issue.record("it was not refused")
            return
        }
        #expect(kind == ServiceException.Kind.unsuitablePool.rawValue)
        #expect(message.contains("a quota") && message.contains("btrfs qgroup limit"))
        #expect(try fileSystem.inventory() == inventory)
        // As the message says: by another subvolume.
        #expect(throws: Command.Failed.self) {
            try Command.check("btrfs", "qgroup", "limit", "none", fileSystem.path)
        }
        try Command.check("btrfs", "qgroup", "limit", "none", "0/5", other)
        guard case .result(let result)? = try WorkerRun.messages(order).last else {
            Issue.record("it was not done")
            return
        }
        #expect(result.savedBytes > 0 && result.lacksRoom == nil)
        #expect(try fileSystem.inventory() == inventory)
    }
}
