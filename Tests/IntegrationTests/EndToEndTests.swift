// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// From an admin qube's call to the disk and back, through the built programs.
@Suite("End to end on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct EndToEndTests {
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let work = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 8, seed: 1), to: work)
        try Files.clone(work, to: fileSystem.image("appvms/work/private-precache.img"))
        try Files.write(
            Content.text(mebibytes: 6, seed: 2),
            to: fileSystem.image("appvms/vault/private.img"))
        try Files.write(
            Content.text(mebibytes: 4, seed: 3),
            to: fileSystem.image("vm-templates/deb/private.img"))
        try fileSystem.synchronize()
        return fileSystem
    }

    @Test("An admin qube's call compresses the qube that policy matched, and no other")
    func compressThroughTheDoor() throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let daemon = try DaemonRun(on: fileSystem)
        let before = try fileSystem.dataUsedBytes()
        let accepted = try DaemonRun.reply(
            daemon.call(
                "btrfs.Compress", argument: "private", from: "mgmt", to: .name("work"),
                payload: #"{"version":1,"level":5}"#), as: JobAccepted.self)
        let watched = try daemon.call(
            "btrfs.job.Watch", argument: accepted.job, from: "mgmt", to: .keyword("adminvm"))
        let record = try DaemonRun.reply(watched, as: JobRecord.self)
        #expect(record.state == .done)
        #expect(record.caller == "mgmt" && record.target == "work")
        #expect(String(decoding: watched, as: UTF8.self).contains("job-progress"))
        let after = try fileSystem.dataUsedBytes()
        #expect(after < before)
        #expect(try #require(record.result).measuredDataBytes == Int64(before - after))
        #expect(try fileSystem.inventory() == inventory)
        let vault = try fileSystem.compsizeBytes(fileSystem.image("appvms/vault"))
        #expect(vault == 6 << 20, "the vault was not asked for")
        let log = try String(contentsOfFile: daemon.log, encoding: .utf8)
        let end = try #require(log.split(separator: "\n").first { $0.contains("event=job-end") })
        #expect(end.contains("caller=mgmt") && end.contains("job=\(accepted.job)"))
        // Less what trees have grown by.
        let saved = try #require(end.firstMatch(of: /saved_bytes=([0-9]+)/)?.1)
        let data = Int64(before - after)
        #expect((data - 256 << 10)...data ~= Int64(saved) ?? 0, "\(end)")
    }

    @Test("A report shows a caller only the qubes that qubesd shows it")
    func reportsAreFiltered() throws {
        let fileSystem = try populated()
        let daemon = try DaemonRun(on: fileSystem)
        let theirs = try daemon.call("btrfs.Report", from: "mgmt", to: .keyword("adminvm"))
        let report = try DaemonRun.reply(theirs, as: Report.self)
        #expect(report.qubes.map(\.name) == ["deb", "work"])
        #expect(!String(decoding: theirs, as: UTF8.self).contains("vault"))
        let ours = try daemon.client("report", "--json")
        #expect(ours.status == 0)
        #expect(ours.output.contains("vault"))
    }

    @Test("A forbidden qube and one that does not exist get the same bytes, and no job")
    func forbiddenIsUnknown() throws {
        let fileSystem = try populated()
        let daemon = try DaemonRun(on: fileSystem)
        let before = try fileSystem.dataUsedBytes()
        for service in ["btrfs.Report", "btrfs.Compress", "btrfs.Dedupe", "btrfs.Optimize"] {
            let forbidden = try daemon.call(service, from: "mgmt", to: .name("vault"))
            let unknown = try daemon.call(service, from: "mgmt", to: .name("nosuch"))
            #expect(forbidden == unknown)
            #expect(forbidden.starts(with: Array("2\0".utf8)))
        }
        #expect(try fileSystem.dataUsedBytes() == before)
    }

    @Test("Bad calls change nothing, and the daemon goes on")
    func badCalls() throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let daemon = try DaemonRun(on: fileSystem)
        let before = try fileSystem.dataUsedBytes()
        let payloads = [
            "{", "[]", #"{"version":2}"#, #"{"version":1,"path":"/etc"}"#,
            #"{"version":1,"level":99}"#, String(repeating: "x", count: Limits.payloadBytes + 1),
        ]
        for payload in payloads {
            let reply = try daemon.call(
                "btrfs.Compress", from: "mgmt", to: .name("work"), payload: payload)
            #expect(reply.starts(with: Array("2\0QubesValueError\0".utf8)), "\(payload.prefix(40))")
        }
        for argument in ["..", "-rf", "a+b", "private/../root", String(repeating: "a", count: 300)]
        {
            let reply = try daemon.call(
                "btrfs.Compress", argument: argument, from: "mgmt", to: .name("work"))
            #expect(reply.starts(with: Array("2\0".utf8)), "\(argument)")
        }
        for keyword in ["default", "dispvm", "anyvm"] {
            let reply = try daemon.call("btrfs.Compress", from: "mgmt", to: .keyword(keyword))
            #expect(reply.starts(with: Array("2\0".utf8)), "\(keyword)")
        }
        #expect(daemon.isRunning)
        #expect(try fileSystem.dataUsedBytes() == before)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try daemon.client("report").status == 0)
    }

    @Test("In dom0 the client compresses, de-duplicates, and lists what it did")
    func dom0Client() throws {
        let fileSystem = try populated()
        try Files.copy(
            fileSystem.image("appvms/work/private.img"),
            to: fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z"))
        let inventory = try fileSystem.inventory()
        let daemon = try DaemonRun(on: fileSystem)
        let before = try fileSystem.dataUsedBytes()
        let compress = try daemon.client("compress", "dom0")
        #expect(compress.status == 0, "\(compress.errors)")
        let dedupe = try daemon.client("dedupe", "work:private")
        #expect(dedupe.status == 0, "\(dedupe.errors)")
        #expect(try fileSystem.dataUsedBytes() < before / 2)
        #expect(try fileSystem.inventory() == inventory)
        let jobs = try daemon.client("jobs").output
        #expect(jobs.contains("compress") && jobs.contains("dedupe"))
        #expect(jobs.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(try daemon.client("report", "nosuch").status == 4)
    }
}
