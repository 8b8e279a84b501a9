// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// The worker as the unit lets it be: systemd is not here to start it, so that setpriv(1) takes
/// away what the unit takes away.
@Suite(
    "The worker with what the unit leaves it",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct HardeningTests {
    /// The capabilities of the unit, as setpriv names them.
    private static func capabilities() throws -> [String] {
        let unit = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../systemd/qubes-btrfsd.service").standardized
        let lines = try String(contentsOf: unit, encoding: .utf8).split(separator: "\n")
        let prefix = "CapabilityBoundingSet="
        let line = try #require(lines.first { $0.hasPrefix(prefix) })
        return line.dropFirst(prefix.count).split(separator: " ").map {
            "+" + $0.lowercased().replacingOccurrences(of: "cap_", with: "")
        }
    }

    /// Runs a worker with these capabilities and no other, and no way to get one.
    private func run(
        _ order: WorkerOrder, capabilities: [String]
    ) throws -> WorkerMessage? {
        let set = (["-all"] + capabilities).joined(separator: ",")
        let ending = try Command.run(
            [
                "setpriv", "--bounding-set", set, "--inh-caps", "-all", "--no-new-privs",
                Command.program("qubes-btrfs-worker"),
            ], input: try JSONEncoder().encode(order))
        return try ending.output.split(separator: "\n").last.map {
            try JSONDecoder().decode(WorkerMessage.self, from: Data($0.utf8))
        }
    }

    /// Images of root's and of another user's, closed to all others.
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let work = fileSystem.image("appvms/work/private.img")
        let copy = fileSystem.image("appvms/copy/private.img")
        try Files.write(Content.text(mebibytes: 8, seed: 1), to: work)
        try Files.copy(work, to: copy)
        try Command.check("chown", "-R", "12345:12345", fileSystem.image("appvms/copy"))
        try Command.check("chmod", "0600", work, copy)
        try Command.check("chmod", "0700", fileSystem.image("appvms/copy"))
        try fileSystem.synchronize()
        return fileSystem
    }

    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]

    @Test("It reports, shares and compresses, whoever owns the images")
    func works() throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let capabilities = try Self.capabilities()
        let before = try fileSystem.dataUsedBytes()
        for work in [WorkerRun.dedupe, WorkerRun.compress] {
            let message = try run(
                WorkerRun.order(work, volumes, on: fileSystem), capabilities: capabilities)
            guard case .result(let result)? = message else {
                Issue.record("\(String(describing: message))")
                return
            }
            #expect(result.problems.isEmpty, "\(result.problems)")
            #expect(result.extentsReplaced > 0)
        }
        let report = try run(
            WorkerRun.order(.report, volumes, on: fileSystem), capabilities: capabilities)
        guard case .report(let content)? = report else {
            Issue.record("\(String(describing: report))")
            return
        }
        #expect(content.problems.isEmpty, "\(content.problems)")
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() < before / 4)
    }

    @Test("Each capability is needed", arguments: try capabilities())
    func each(missing: String) throws {
        let fileSystem = try populated()
        let left = try Self.capabilities().filter { $0 != missing }
        let message = try run(
            WorkerRun.order(WorkerRun.dedupe, volumes, on: fileSystem), capabilities: left)
        if case .result(let result)? = message {
            #expect(!result.problems.isEmpty || result.extentsReplaced == 0, "\(missing)")
        }
    }
}
