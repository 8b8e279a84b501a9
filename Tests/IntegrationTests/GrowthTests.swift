// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Growth that nothing was given back of, from the real daemon's own looks at a real image.
@Suite("Growth for weeks", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct GrowthTests {
    /// As three looks have left it: the first a month ago, the last a week ago.
    private func kept(_ mebibytes: Int) -> String {
        let now = Int(Date().timeIntervalSince1970)
        let bytes = mebibytes << 20
        return """
            {"version":1,"volumes":{"work private":{"sinceAt":\(now - 30 * 86400),"sinceBytes":0,
            "lastAt":\(now - 7 * 86400),"lastBytes":\(bytes),"looks":3}}}
            """
    }

    @Test("It is named with its command, until a hole is seen; packing and sharing are none")
    func grows() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 300, seed: 1), to: image)
        let inventory = QubesXML.text(pool: fileSystem.pool, [.init(name: "work")])
        let daemon = try DaemonRun(on: fileSystem, inventory: inventory)
        daemon.stop()
        try Data(kept(200).utf8).write(
            to: URL(fileURLWithPath: fileSystem.folder + "/state/growth.json"))
        try daemon.start()
        func report() throws -> String { try daemon.client("report").output }
        #expect(try report().contains("  work:private by 300 MiB in 30 days (4 looks)\n"))
        #expect(try report().contains("    qvm-btrfs trim work --start\n"))
        #expect(try daemon.client("optimize").status == 0)
        #expect(try report().contains("never seen to shrink"))
        let check = try daemon.client("check", "work").output
        #expect(check.contains("work: private has grown by 300 MiB in 30 days"))
        try Command.check("fallocate", "--punch-hole", "--offset", "0", "--length", "1M", image)
        #expect(try !report().contains("never seen to shrink"))
        #expect(try !daemon.client("check", "work").output.contains("has grown by"))
    }
}
