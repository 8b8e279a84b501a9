// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Features, from qubes.xml to what is said and to the disk.
@Suite("Settings on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct SettingsTests {
    /// `work` starts from `deb`, which has a feature; both and `vault` hold text of their own.
    private func machine(_ feature: String, _ value: String) throws -> (LoopFileSystem, DaemonRun) {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        for (index, qube) in ["work", "vault"].enumerated() {
            try Files.write(
                Content.text(mebibytes: 8, seed: UInt64(1 + index)),
                to: fileSystem.image("appvms/\(qube)/private.img"))
        }
        try Files.write(
            Content.text(mebibytes: 8, seed: 3),
            to: fileSystem.image("vm-templates/deb/private.img"))
        try fileSystem.synchronize()
        let daemon = try DaemonRun(on: fileSystem) { text in
            text.replacing(
                ">work</property>",
                with: ">work</property><property name=\"template\">deb</property>"
            ).replacing(
                "\"name\">deb</property></properties>\n<features>",
                with: "\"name\">deb</property></properties>\n<features>"
                    + "<feature name=\"\(feature)\">\(value)</feature>")
        }
        return (fileSystem, daemon)
    }

    private func packedBytes(_ fileSystem: LoopFileSystem, _ folder: String) throws -> String {
        try Command.check("compsize", "-b", fileSystem.pool + "/" + folder).output
    }

    @Test("A template's feature counts for what starts from it, and the report says whose it is")
    func inherited() throws {
        let (fileSystem, daemon) = try machine("btrfs.skip", "1")
        let report = try daemon.client("report", "work")
        #expect(report.output.contains("\n  btrfs.skip: 1, by its template deb.\n"))
        #expect(report.output.contains("\n  btrfs.compress: zstd:3, the default.\n"))
        let check = try daemon.client("check", "work")
        let words = check.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains("btrfs.skip: 1, by its template deb;"))
        #expect(check.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        let before = try ["appvms/work", "vm-templates/deb", "appvms/vault"].map {
            try packedBytes(fileSystem, $0)
        }
        #expect(try daemon.client("compress", "dom0").status == 0)
        #expect(try packedBytes(fileSystem, "appvms/work") == before[0])
        #expect(try packedBytes(fileSystem, "vm-templates/deb") == before[1])
        #expect(try packedBytes(fileSystem, "appvms/vault") != before[2])
    }

    @Test("A wrong value stops what it counts for, and is named with what mends it")
    func wrong() throws {
        let (fileSystem, daemon) = try machine("btrfs.compress", "lzo")
        let before = try packedBytes(fileSystem, "appvms/work")
        #expect(try daemon.client("compress", "dom0").status == 0)
        #expect(try packedBytes(fileSystem, "appvms/work") == before)
        let check = try daemon.client("check", "work")
        #expect(check.status == 7)
        #expect(check.output.contains("qvm-features deb btrfs.compress zstd:3\n"))
        let json = try daemon.client("report", "work", "--json").output
        let answer = try JSONDecoder().decode(Report.self, from: Data(json.utf8))
        #expect(
            answer.qubes.first?.volumes.first?.settings?.compress
                == Report.Setting(nil, .template, template: "deb"))
    }
}
