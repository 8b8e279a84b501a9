// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// What a caller may learn of the qubes that it does not see.
@Suite("Secrecy on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct SecrecyTests {
    @Test("A report counts what is shared, and never says with whom")
    func aReportNeverSaysWithWhom() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let work = fileSystem.image("appvms/work/private.img")
        let vault = fileSystem.image("appvms/vault/private.img")
        try Files.write(Content.text(mebibytes: 4, seed: 1), to: work)
        try Files.clone(work, to: vault)
        try fileSystem.synchronize()
        let daemon = try DaemonRun(on: fileSystem)
        func report(_ target: String) throws -> [UInt8] {
            try daemon.call("btrfs.Report", from: "mgmt", to: .name(target))
        }
        for target in ["work", "dom0"] {
            let bytes = try report(target)
            #expect(!String(decoding: bytes, as: UTF8.self).contains("vault"))
            let content = try DaemonRun.reply(bytes, as: Report.self)
            let figures = try #require(content.qubes.first { $0.name == "work" }?.figures)
            #expect(figures.diskBytes > 0 && figures.exclusiveBytes == 0)
        }
        // With a forbidden qube, with a stray file, with a snapshot: all the same to the caller.
        let shared = try DaemonRun.reply(report("work"), as: Report.self)
        try FileManager.default.moveItem(atPath: vault, toPath: fileSystem.path + "/stray")
        let stray = try DaemonRun.reply(report("work"), as: Report.self)
        #expect(stray.qubes == shared.qubes && stray.problems == shared.problems)
    }
}
