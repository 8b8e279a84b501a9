// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A job beside whoever changes the devices that its file system is on.
@Suite("Beside device operations", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct DeviceOperationTests {
    /// A loop device of its own, as large as the file system's.
    private final class SpareDevice {
        let path: String
        private let file: String

        init(mebibytes: Int) throws {
            file = FileManager.default.temporaryDirectory.path + "/spare-\(UUID().uuidString)"
            try Command.check("truncate", "-s", "\(mebibytes)M", file)
            path = try Command.check("losetup", "--find", "--show", file).output
                .trimmingCharacters(in: .whitespacesAndNewlines)
        }

        deinit {
            _ = try? Command.run(["losetup", "--detach", path])
            try? FileManager.default.removeItem(atPath: file)
        }
    }

    /// All goes to the spare device `$2` and back to the first one, `$3`, which is kept open: it
    /// would go with its last user.
    private static let shell =
        "exec 9<\"$3\"; btrfs replace start -B -f \"$3\" \"$2\" \"$1\";"
        + " btrfs device add -f -K \"$3\" \"$1\"; btrfs device remove \"$2\" \"$1\""

    private static let words: Set<String> = ["device replace", "device remove"]

    @Test("A device is replaced, added and removed in mid-job: all is waited for and named")
    func devices() throws {
        let spare = try SpareDevice(mebibytes: 2048)
        let fileSystem = try LoopFileSystem(mebibytes: 2048, options: ["-m", "single"])
        let first = try Command.check("findmnt", "-no", "SOURCE", fileSystem.path).output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        try Files.write(
            Content.text(mebibytes: 24, seed: 1),
            to: fileSystem.image("appvms/work/private.img"))
        // What there is to be moved.
        try Files.write(Content.random(mebibytes: 640, seed: 2), to: "\(fileSystem.path)/other")
        try fileSystem.synchronize()
        let inventory = try fileSystem.inventory()
        var held: Set<String> = []
        var named: Set<String> = []
        // Any of them may be over before somebody has looked: in a later round then.
        for round in 0..<20 where !held.isSuperset(of: Self.words) || named.isEmpty {
            let beside = try ProgramBeside(
                ["sh", "-ec", Self.shell, "sh", fileSystem.path, spare.path, first])
            let session = try WorkerSession(
                WorkerRun.order(
                    .compress(level: round + 1, running: false), [WorkerRun.volume("work")],
                    on: fileSystem))
            while let progress = try session.progress(until: { $0.pacing?.reason == .operation }) {
                held.insert(progress.pacing?.advice ?? "")
                if let text = try fileSystem.checkedOperation() { named.insert(text) }
            }
            guard case .result? = session.messages.last else {
                Issue.record("\(String(describing: session.messages.last))")
                return
            }
            #expect(beside.wait() == 0)
        }
        #expect(held.isSuperset(of: Self.words), "\(held)")
        let known = Self.words.map { "somebody is at work on it: \($0)" }
        #expect(named.contains { known.contains($0) }, "\(named)")
        #expect(try fileSystem.inventory() == inventory)
    }
}

extension LoopFileSystem {
    /// What a check says somebody is at there, which jobs wait for.
    func checkedOperation() throws -> String? {
        try WorkerRun.check(self).findings.first { $0.topic == "operation" }?.message
    }
}
