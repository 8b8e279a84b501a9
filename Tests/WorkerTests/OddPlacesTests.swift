// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Foundation
import Protocol
import Qubes
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

/// Pools that no job works on, and images that a crash has left.
@Suite struct OddPlacesTests {
    private func pools(_ drivers: String...) -> [WorkerOrder.OtherPool] {
        drivers.map { .init(name: "p-\($0)", driver: $0, directory: "/mnt/\($0)") }
    }

    @Test func aPoolOfAnotherDriverOnBtrfsIsNamedWithTheWayOut() {
        let found = OtherPoolRules.findings(pools("file", "new", "callback")) { path in
            path != "/mnt/new"
        }
        #expect(found.map(\.about) == [.pools(["p-file"]), .pools(["p-callback"])])
        #expect(found.allSatisfy { $0.level == .warning && $0.topic == "pool.driver" })
        #expect(found.allSatisfy { $0.command?.contains("qvm-pool add NEW file-reflink") == true })
        #expect(found.first?.message.contains("its driver is file:") == true)
    }

    @Test func whereADriverCallsBackNobodyKnowsAndThatIsANote() {
        let found = OtherPoolRules.findings([
            .init(name: "a", driver: "callback"), .init(name: "b", driver: "lvm_thin"),
            .init(name: "c", driver: "file", directory: "/nonexistent"),
        ])
        #expect(found.map(\.subject) == ["pool a"])
        #expect(found.map(\.level) == [.note])
    }

    private func image(_ role: ImageRole, _ status: FileStatus) -> ListedImage {
        ListedImage(
            volume: 0, path: "appvms/work/private-dirty.img", role: role,
            inode: InodeIdentifier(subvolume: TreeIdentifier(5), number: 257),
            status: status, hasNoChecksums: false)
    }

    @Test func aDirtyImageIsLeftWhenNothingHasItOpenForLong() throws {
        let path = FileManager.default.temporaryDirectory.path + "/odd-\(UUID().uuidString)"
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let status = try Descriptor.status(of: FilePath(path))
        let late = status.changed.seconds + ImageRules.startSeconds + 1
        func left(
            _ role: ImageRole, attached: Set<FileStatus.Identity> = [], now: Int64
        ) -> Int {
            ImageRules.leftDirty([image(role, status)], attached: attached, now: now).count
        }
        #expect(left(.dirty, now: late) == 1)
        #expect(left(.volatileImage, now: late) == 1)
        #expect(left(.dirty, now: late - 1) == 0)
        #expect(left(.dirty, attached: [status.identity], now: late) == 0)
        #expect(left(.clean, now: late) == 0)
        #expect(left(.dirty, now: .min) == 0)
    }
}
