// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Two machines, equal but for one block in a template that a caller cannot see. The caller may
/// make templates, set its own features and run everything: nothing that it reads tells which it is
/// on. `make abuse` plants 65,536 guesses; here it is 2,048.
@Suite("Two worlds", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct TwoWorldsTests {
    static let blockBytes = 64 * 1024
    static let guessBytes = 4096
    static let guesses =
        ProcessInfo.processInfo.environment["GUESSES"].flatMap(Int.init) ?? 2048

    /// The block that is to be guessed, or another.
    private static func secret(_ world: Int) -> [UInt8] {
        [UInt8](Content.random(mebibytes: 1, seed: UInt64(world)).prefix(blockBytes))
    }

    /// Many guesses, of which one is right in the first world alone.
    private static func planted() -> Data {
        var bytes = [UInt8](
            Content.random(mebibytes: max(1, guesses * guessBytes >> 20), seed: 77))
        bytes.replaceSubrange(0..<blockBytes, with: secret(1))
        return Data(bytes)
    }

    /// Writes a file whose first block is an extent of its own, as whoever guesses would.
    private static func write(_ content: Data, to path: String) throws {
        try Files.write(content.prefix(blockBytes), to: path)
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.synchronize()
        try file.seekToEnd()
        try file.write(contentsOf: content.dropFirst(blockBytes))
        try file.synchronize()
        try file.close()
    }

    private static func inventory(_ pool: String) -> String {
        func domain(
            _ number: Int, _ kind: String, _ name: String, _ folder: String, _ volume: String,
            feature: String = "", tag: String = ""
        ) -> String {
            """
            <domain id="domain-\(number)" class="\(kind)">
              <properties><property name="name">\(name)</property></properties>
              <features>\(feature)</features><tags>\(tag)</tags>
              <volume-config><volume name="\(volume)" pool="varlibqubes" vid="\(folder)/\(volume)"
                rw="True" save_on_stop="True" snap_on_start="False" size="1073741824"/>
              </volume-config>
            </domain>
            """
        }
        let wish = #"<feature name="btrfs.dedupe-group">theirs</feature>"#
        let made = #"<tag name="created-by-mgmt"/>"#
        return """
            <qubes><labels/>
            <pools><pool name="varlibqubes" dir_path="\(pool)" driver="file-reflink"/></pools>
            <properties/>
            <domains>
            <domain id="domain-0" class="AdminVM"><properties/>
            <features><feature name="btrfs.dedupe-group.theirs">other</feature></features><tags/>
            </domain>
            \(domain(2, "TemplateVM", "secret", "vm-templates/secret", "root"))
            \(domain(3, "TemplateVM", "guess", "vm-templates/guess", "root", tag: made))
            \(domain(4, "AppVM", "mgmt", "appvms/mgmt", "private", feature: wish))
            \(domain(5, "AppVM", "other", "appvms/other", "private"))
            </domains></qubes>
            """
    }

    /// All that the caller reads in one world, and what dom0's weekly jobs leave for it to read.
    private func replies(in world: Int) throws -> [String] {
        let fileSystem = try LoopFileSystem(mebibytes: 2048)
        let hidden =
            Self.secret(world)
            + [UInt8](Content.random(mebibytes: 4, seed: 99).dropFirst(Self.blockBytes))
        try Self.write(Data(hidden), to: fileSystem.image("vm-templates/secret/root.img"))
        try Self.write(Data(hidden), to: fileSystem.image("appvms/other/private.img"))
        try Self.write(Self.planted(), to: fileSystem.image("vm-templates/guess/root.img"))
        try Self.write(Self.planted(), to: fileSystem.image("appvms/mgmt/private.img"))
        try fileSystem.synchronize()
        let daemon = try DaemonRun(
            on: fileSystem, inventory: Self.inventory(fileSystem.pool),
            visible: ["mgmt": ["mgmt", "guess"]])
        var replies: [String] = []
        func read(_ service: String, _ argument: String = "", on target: String) throws {
            let answer = try daemon.call(
                service, argument: argument, from: "mgmt", to: .name(target))
            // Where the test has put its file system.
            replies.append(
                try Self.plain(answer).replacingOccurrences(of: fileSystem.folder, with: ""))
        }
        func run(_ service: String, from caller: String, on target: String) throws {
            let job = try DaemonRun.reply(
                daemon.call(service, from: caller, to: .name(target)), as: JobAccepted.self)
            let watched = try daemon.call(
                "btrfs.job.Watch", argument: job.job, from: caller, to: .name(target))
            #expect(try DaemonRun.reply(watched, as: JobRecord.self).state == .done)
            if caller == "mgmt" { replies.append(try Self.plain(watched)) }
        }
        for target in ["guess", "mgmt", "dom0"] {
            try run("btrfs.Estimate", from: "mgmt", on: target)
            try run("btrfs.Verify", from: "mgmt", on: target)
            try run("btrfs.Dedupe", from: "mgmt", on: target)
            try read("btrfs.Report", on: target)
            try read("btrfs.Check", on: target)
        }
        // The week of the machine.
        try run("btrfs.Dedupe", from: "dom0", on: "dom0")
        try run("btrfs.Optimize", from: "dom0", on: "dom0")
        for target in ["guess", "mgmt", "dom0"] {
            try run("btrfs.Estimate", from: "mgmt", on: target)
            try run("btrfs.Verify", from: "mgmt", on: target)
            try read("btrfs.Report", on: target)
            try read("btrfs.Check", on: target)
            try read("btrfs.job.List", on: target)
        }
        return replies
    }

    /// What is other on every run, whatever the disk holds: moments, ids, and how fast it went.
    private static let restless: Set<String> = [
        "job", "submittedAt", "startedAt", "endedAt", "generatedAt", "checkedAt", "measuredAt",
        "at", "elapsedSeconds", "progress", "oldestAt",
    ]

    /// The last envelope's object, without that, its keys in order.
    private static func plain(_ bytes: [UInt8]) throws -> String {
        var reader = EnvelopeReader()
        reader.append(bytes)
        while try reader.nextEvent() != nil {}
        guard case .reply(let content) = try reader.last() else {
            return String(decoding: bytes, as: UTF8.self)
        }
        func rest(_ value: Any) -> Any {
            if let object = value as? [String: Any] {
                return object.filter { !restless.contains($0.key) }.mapValues(rest)
            }
            return (value as? [Any])?.map(rest) ?? value
        }
        var object = rest(try JSONSerialization.jsonObject(with: Data(content)))
        if var report = object as? [String: Any], let history = report["history"] as? [Any] {
            // Which of two ends came first within a second is chance.
            report["history"] = try history.map { point in
                let bytes = try JSONSerialization.data(
                    withJSONObject: point, options: .sortedKeys)
                return String(decoding: bytes, as: UTF8.self)
            }.sorted()
            object = report
        }
        let text = try JSONSerialization.data(
            withJSONObject: object, options: [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes])
        // Each of the two is a file system of its own.
        return String(decoding: text, as: UTF8.self)
            .replacing(/UUID=[0-9a-f-]+/, with: "UUID=")
    }

    @Test("Whoever plants guesses reads the same in both")
    func equal() throws {
        let worlds = [try replies(in: 1), try replies(in: 2)]
        #expect(worlds[0].count == worlds[1].count && worlds[0].count > 20)
        for (one, other) in zip(worlds[0], worlds[1]) {
            let lines = zip(
                one.components(separatedBy: "\n"), other.components(separatedBy: "\n"))
            for (left, right) in lines { #expect(left == right) }
            #expect(one == other)
        }
    }
}
