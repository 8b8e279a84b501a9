// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// What others are pointed at belongs to a qube that runs and writes to it.
@Suite("A running qube's image as keeper", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct LiveKeeperTests {
    @Test(
        "A qube that writes and verifies loses nothing, and neither does who shares with it",
        arguments: ["on", "off"])
    func keeper(directIO: String) throws {
        let world = try FaultWorld(mebibytes: 1024)
        let content = Content.random(mebibytes: 48, seed: 3)
        // Written first, so that it comes first.
        let live = "appvms/work/private-dirty.img"
        try world.write(content, to: live)
        try world.write(content, to: "appvms/copy/private.img")
        try world.fileSystem.synchronize()
        let loop = try Command.check(
            "losetup", "--find", "--show", "--direct-io=\(directIO)",
            world.fileSystem.image(live)
        ).output.trimmingCharacters(in: .whitespacesAndNewlines)
        var isAttached = true
        defer { if isAttached { _ = try? Command.run(["losetup", "--detach", loop]) } }
        let qube = Process()
        qube.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        qube.arguments = Self.writer(loop) + ["--do_verify=1"]
        qube.standardOutput = FileHandle.nullDevice
        try qube.run()
        var rounds = 0
        repeat {
            let last = try world.job(
                .dedupe(running: true), [WorkerRun.volume("work"), WorkerRun.volume("copy")])
            guard case .result? = last else {
                Issue.record("\(String(describing: last))")
                break
            }
            rounds += 1
        } while qube.isRunning
        qube.waitUntilExit()
        #expect(qube.terminationStatus == 0)
        #expect(rounds > 0)
        try Command.check("losetup", "--detach", loop)
        isAttached = false
        try world.fileSystem.remount()
        try world.dropCaches()
        // Nobody has written to the second half, and nobody to the copy.
        let half = content.count / 2
        let found = try Data(contentsOf: URL(fileURLWithPath: world.fileSystem.image(live)))
        #expect(found.dropFirst(half) == content.dropFirst(half))
        let copy = try Data(
            contentsOf: URL(fileURLWithPath: world.fileSystem.image("appvms/copy/private.img")))
        #expect(copy == content)
        let again = try Command.run(
            Self.writer(world.fileSystem.image(live)) + ["--verify_only=1"])
        #expect(again.status == 0, "\(again.output)\(again.errors)")
    }

    /// Writes the first half of a device in no order, each block with a sum of its own in it.
    private static func writer(_ path: String) -> [String] {
        [
            "fio", "--name=qube", "--filename=\(path)", "--rw=randwrite", "--size=24M",
            "--bsrange=4k-64k", "--ioengine=psync", "--direct=1", "--verify=crc32c",
            "--randseed=11", "--fsync=32", "--verify_state_save=0", "--verify_fatal=1",
            "--output-format=terse",
        ]
    }
}
