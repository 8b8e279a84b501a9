// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import TestSupport
import Testing

/// What the client of the last release says, and what its daemon answers: recorded from these
/// programs themselves, in the folder `Tests/Recorded/RELEASE`.
///
/// `RECORD=RELEASE PROGRAMS=FOLDER swift test --filter RecordedReleaseTests` records another one.
@Suite(
    "A client and a daemon of the last release",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason)
)
struct RecordedReleaseTests {
    /// The folders of all releases that were recorded.
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Recorded").path

    static let releases = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
        .sorted()

    /// What is said to the client, by the name of its files. `JOB` is a job that is over.
    static let commands: [(name: String, words: [String])] = [
        ("report", ["report"]), ("report-qube", ["report", "work"]),
        ("report-volume", ["report", "work:private"]),
        ("report-chosen", ["report", "--qube", "work", "--qube", "vault"]),
        ("check", ["check"]), ("check-qube", ["check", "work"]),
        ("new-data", ["new-data", "work"]),
        ("new-data-set", ["new-data", "work", "--compress", "zstd"]),
        // Before any is started that would still run.
        ("jobs", ["jobs"]), ("jobs-qube", ["jobs", "--qube", "work"]),
        ("estimate", ["estimate", "work", "--running", "--no-wait"]),
        ("compress", ["compress", "work:private", "--level", "9", "--no-wait"]),
        ("dedupe", ["dedupe", "dom0", "--running", "--battery", "--no-wait"]),
        ("optimize", ["optimize", "work", "--battery", "--no-wait"]),
        ("defragment", ["defragment", "work", "--no-wait"]),
        ("watch", ["watch", "JOB"]), ("pause", ["pause", "JOB"]), ("resume", ["resume", "JOB"]),
        ("cancel", ["cancel", "JOB"]), ("unknown", ["report", "nosuch"]),
    ]

    /// The same machine for each.
    static func machine() throws -> DaemonRun {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let qubes = ["work", "vault"].map { QubesXML.Qube(name: $0) }
        for (seed, qube) in qubes.enumerated() {
            try Files.write(
                Content.text(mebibytes: 2, seed: UInt64(seed)), to: fileSystem.image(qube.image))
        }
        return try DaemonRun(
            on: fileSystem, inventory: QubesXML.text(pool: fileSystem.pool, qubes))
    }

    /// A job that is over, so that its record has all there is to say.
    static func finishedJob(_ daemon: DaemonRun) throws -> String {
        let bytes = try daemon.call("btrfs.Optimize", from: "dom0", to: .name("work"))
        let job = try DaemonRun.reply(bytes, as: JobAccepted.self).job
        _ = try daemon.call("btrfs.job.Watch", argument: job, from: "dom0", to: .name("dom0"))
        return job
    }

    /// Sends what a client has said.
    static func exchange(_ said: [UInt8], with daemon: DaemonRun) throws -> [UInt8] {
        let connection = try UnixSocket.connect(daemon.socket)
        QrexecCall.send(said, on: connection)
        try connection.shutdownWriting()
        return try connection.readToEnd(limitBytes: Limits.replyBytes) ?? []
    }

    @Test(
        "Is recorded where that is asked for",
        .enabled(
            if: ProcessInfo.processInfo.environment["RECORD"] != nil,
            "it records a release: RECORD=RELEASE PROGRAMS=FOLDER"))
    func record() throws {
        let release = try #require(ProcessInfo.processInfo.environment["RECORD"])
        let folder = "\(Self.folder)/\(release)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let daemon = try Self.machine()
        let job = try Self.finishedJob(daemon)
        for (name, words) in Self.commands {
            let words = words.map { $0 == "JOB" ? job : $0 }
            let said = try Listener(folder: daemon.fileSystem.folder).said(by: words)
            let answer = try Self.exchange(said, with: daemon)
            for (kind, bytes) in [("call", said), ("answer", answer)] {
                try Data(Self.neutral(bytes, job, daemon)).write(
                    to: URL(fileURLWithPath: "\(folder)/\(name).\(kind)"))
            }
        }
    }

    /// Without this machine's own words.
    private static func neutral(_ bytes: [UInt8], _ job: String, _ daemon: DaemonRun) -> [UInt8] {
        let text = String(decoding: bytes, as: UTF8.self).replacing(job, with: knownJob)
        return Array(text.replacing(daemon.fileSystem.folder, with: "/machine").utf8)
    }

    /// What stands in the recordings for a job.
    static let knownJob = "0123456789abcdef0123"

    @Test("Today's daemon understands all that its client says", arguments: releases)
    func calls(release: String) throws {
        let daemon = try Self.machine()
        let job = try Self.finishedJob(daemon)
        for (name, _) in Self.commands {
            let (said, told) = try Self.recorded(release, name)
            let now = String(decoding: said, as: UTF8.self).replacing(Self.knownJob, with: job)
            let answer = try Self.exchange(Array(now.utf8), with: daemon)
            // What was an answer is one, and what was a refusal is the same.
            let (old, new) = (try Self.last(told), try Self.last(answer))
            switch (old, new) {
            case (.exception(let old), .exception(let new)): #expect(old.kind == new.kind)
            case (.reply(let old), .reply(let new)):
                let lost = try Self.keys(old).subtracting(try Self.keys(new))
                #expect(lost.isEmpty, "\(name) has lost what the old client reads")
            default: Issue.record("\(name) is answered in another way: \(new)")
            }
        }
    }

    static func recorded(_ release: String, _ name: String) throws -> ([UInt8], [UInt8]) {
        func bytes(_ kind: String) throws -> [UInt8] {
            Array(
                try Data(
                    contentsOf: URL(fileURLWithPath: "\(folder)/\(release)/\(name).\(kind)")))
        }
        return (try bytes("call"), try bytes("answer"))
    }

    private static func last(_ bytes: [UInt8]) throws -> Envelope {
        var reader = EnvelopeReader()
        reader.append(bytes)
        while try reader.nextEvent() != nil {}
        return try reader.last()
    }

    /// Every key with the keys above it; what a list holds counts as one.
    private static func keys(_ json: [UInt8]) throws -> Set<String> {
        func walk(_ value: Any, _ path: String, _ found: inout Set<String>) {
            if let object = value as? [String: Any] {
                for (key, value) in object {
                    found.insert("\(path).\(key)")
                    walk(value, "\(path).\(key)", &found)
                }
            } else if let list = value as? [Any] {
                for value in list { walk(value, path, &found) }
            }
        }
        var found: Set<String> = []
        walk(try JSONSerialization.jsonObject(with: Data(json)), "", &found)
        return found
    }

    /// A socket that takes what one client says, and hangs up.
    private final class Listener {
        private let path: FilePath
        private let listener: SharedDescriptor
        private let heard = Monitor<[UInt8]?>(nil)

        init(folder: String) throws {
            path = FilePath("\(folder)/record-\(UInt32.random(in: 0...UInt32.max))")
            let listener = SharedDescriptor(try UnixSocket.listen(path, mode: 0o600))
            self.listener = listener
            let heard = heard
            try WorkThread.start {
                let connection = try? listener.descriptor.accept()
                let bytes = try? connection?.readToEnd(limitBytes: 1 << 20)
                heard.withLock { $0 = bytes ?? [] }
            }
        }

        func said(by words: [String]) throws -> [UInt8] {
            _ = try Command.run(
                [Command.program("qvm-btrfs")] + words + ["--socket", path.string])
            return heard.wait { $0 } ?? []
        }
    }
}
