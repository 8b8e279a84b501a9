// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Dedupe groups, from the features of qubes to the disk.
@Suite("Dedupe groups on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct GroupTests {
    /// Two qubes and a template with equal data.
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let content = Content.random(mebibytes: 8, seed: 1)
        for volume in ["appvms/work", "appvms/vault", "vm-templates/deb"] {
            try Files.write(content, to: fileSystem.image(volume + "/private.img"))
        }
        try fileSystem.synchronize()
        return fileSystem
    }

    /// What dom0's dedupe of the machine leaves of three equal files, in copies.
    private func copies(
        groups: [String: String], wishes: [String: String] = [:],
        _ words: [String] = ["dedupe", "dom0"]
    ) throws -> UInt64 {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let daemon = try DaemonRun(on: fileSystem, groups: groups, wishes: wishes)
        let ending = try daemon.client(words)
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(try fileSystem.inventory() == inventory)
        return try fileSystem.dataUsedBytes() >> 23
    }

    @Test("Without a feature no qube comes to share with another, whoever asks for whatever")
    func apart() throws {
        #expect(try copies(groups: [:]) == 3)
        #expect(try copies(groups: [:], ["dedupe", "work"]) == 3)
        #expect(try copies(groups: [:], ["optimize", "dom0"]) == 3)
    }

    @Test("dom0's list joins the qubes that are in it, and no other")
    func joined() throws {
        #expect(try copies(groups: ["work": "team", "vault": "team"]) == 2)
        #expect(try copies(groups: ["work": "team", "vault": "team", "deb": "other"]) == 2)
        #expect(try copies(groups: ["work": "team"]) == 3)
        #expect(try copies(groups: ["work": "all", "vault": "all", "deb": "all"]) == 1)
    }

    @Test("A qube's own feature lets it into nothing, and out of a group")
    func wishes() throws {
        #expect(try copies(groups: [:], wishes: ["work": "team", "vault": "team"]) == 3)
        #expect(try copies(groups: ["vault": "team"], wishes: ["work": "team"]) == 3)
        #expect(try copies(groups: [:], wishes: ["dom0": "all"]) == 3)
        // An empty feature is Qubes' way to say no.
        #expect(try copies(groups: ["work": "team", "vault": "team"], wishes: ["work": ""]) == 3)
    }

    @Test("A caller's job compares only what the caller sees, also within a group")
    func unseen() throws {
        let fileSystem = try populated()
        let daemon = try DaemonRun(
            on: fileSystem, groups: ["work": "all", "vault": "all", "deb": "all"])
        func dedupe(_ caller: String) throws -> UInt64 {
            let accepted = try DaemonRun.reply(
                daemon.call("btrfs.Dedupe", from: caller, to: .name("work")), as: JobAccepted.self)
            let watched = try daemon.call(
                "btrfs.job.Watch", argument: accepted.job, from: caller, to: .name("work"))
            #expect(try DaemonRun.reply(watched, as: JobRecord.self).state == .done)
            return try fileSystem.dataUsedBytes() >> 23
        }
        // `work` sees itself alone, `mgmt` sees `deb` besides, and dom0 all.
        #expect(try dedupe("work") == 3)
        #expect(try dedupe("mgmt") == 2)
        #expect(try dedupe("dom0") == 1)
    }

    @Test("No payload widens a group")
    func payload() throws {
        let fileSystem = try populated()
        let daemon = try DaemonRun(on: fileSystem)
        for payload in [
            #"{"version":1,"dedupeGroup":"all"}"#, #"{"version":1,"group":"all"}"#,
        ] {
            let reply = try daemon.call(
                "btrfs.Dedupe", from: "dom0", to: .name("dom0"), payload: payload)
            #expect(reply.starts(with: Array("2\0QubesValueError\0".utf8)))
        }
        #expect(try fileSystem.dataUsedBytes() >> 23 == 3)
    }

    @Test("One pool is worked on when it is named")
    func pool() throws {
        let fileSystem = try populated()
        let daemon = try DaemonRun(
            on: fileSystem, groups: ["work": "all", "vault": "all", "deb": "all"])
        let accepted = try DaemonRun.reply(
            daemon.call(
                "btrfs.Dedupe", argument: "pool.varlibqubes", from: "dom0", to: .name("dom0")),
            as: JobAccepted.self)
        let watched = try daemon.call(
            "btrfs.job.Watch", argument: accepted.job, from: "dom0", to: .name("dom0"))
        #expect(try DaemonRun.reply(watched, as: JobRecord.self).state == .done)
        #expect(try fileSystem.dataUsedBytes() >> 23 == 1)
    }
}
