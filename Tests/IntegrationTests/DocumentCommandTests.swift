// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Every command of ours that a code block of README or of the documents has, or a command's help
/// as its example, is typed into a shell, and does what stands beside it.
@Suite(
    "The commands of the documents", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct DocumentCommandTests {
    private static let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    /// The lines of code blocks that call us, without what is piped on and said beside them.
    static func commands(_ text: String) -> [String] {
        var isCode = false
        return text.split(separator: "\n").compactMap { line in
            if line.hasPrefix("```") { isCode.toggle() }
            guard isCode else { return nil }
            let command = line.prefix { $0 != "|" && $0 != "#" }
            guard command.hasPrefix("qvm-btrfs ") || command.contains("$(qvm-btrfs ") else {
                return nil
            }
            return command.trimmingCharacters(in: .whitespaces)
        }
    }

    private static let documents = ["README.md", "docs/client.md"]

    private static let all: [String] = {
        var found: [String] = []
        for document in documents {
            let text = try? String(contentsOfFile: "\(checkout)/\(document)", encoding: .utf8)
            found += commands(text ?? "")
        }
        let verbs = [
            "report", "check", "estimate", "verify", "compress", "dedupe", "optimize", "defragment",
            "sparsify", "new-data", "trim", "jobs", "watch", "cancel", "pause", "resume", "audit",
            "policy", "setup",
        ]
        for verb in verbs {
            let help = try? Command.run([Command.program("qvm-btrfs"), "help", verb]).output
            for line in (help ?? "").split(separator: "\n") where line.hasPrefix("Example: ") {
                found.append(String(line.dropFirst("Example: ".count)))
            }
        }
        return Array(Set(found)).sorted()
    }()

    /// What is seen of a command afterwards.
    private struct Seen {
        /// What it writes.
        var says: [String] = []
        /// Whose images lie on disk in another way; nil where nobody looks.
        var packed: Set<String>? = []
        /// The jobs that there are, the newest first: what, about what, and what of it.
        var jobs: [String] = []
    }

    private static let sees: [String: Seen] = [
        "qvm-btrfs report": Seen(says: ["File system of pool varlibqubes", "debian-12", "vault"]),
        "qvm-btrfs report work": Seen(says: ["work (AppVM)", "private"]),
        "qvm-btrfs report --html disk.html": Seen(),
        "qvm-btrfs report --json": Seen(says: [#""name":"vault""#, #""exclusiveBytes":"#]),
        "qvm-btrfs check": Seen(says: ["ok", "varlibqubes"]),
        "qvm-btrfs estimate work": Seen(says: ["±", "dedupe"], jobs: ["estimate work "]),
        "qvm-btrfs verify": Seen(says: ["new", "QUBE"], jobs: ["verify dom0 "]),
        "qvm-btrfs verify work": Seen(says: ["new", "VOLUME"], jobs: ["verify work "]),
        "qvm-btrfs optimize": Seen(says: ["is done"], packed: all4, jobs: ["optimize dom0 "]),
        "qvm-btrfs optimize --for 2h": Seen(
            says: ["is done"], packed: all4, jobs: ["optimize dom0 "]),
        "qvm-btrfs optimize work personal": Seen(
            packed: ["work", "personal"], jobs: ["optimize personal ", "optimize work "]),
        "qvm-btrfs optimize work": Seen(packed: ["work"], jobs: ["optimize work "]),
        "qvm-btrfs optimize --all --exclude vault": Seen(
            packed: all4.subtracting(["vault"]), jobs: ["optimize dom0 "]),
        "qvm-btrfs compress work:private": Seen(
            packed: ["work"], jobs: ["compress work private"]),
        "qvm-btrfs compress work personal:private --level 9": Seen(
            packed: ["work", "personal"], jobs: ["compress personal private", "compress work "]),
        "qvm-btrfs dedupe dom0": Seen(jobs: ["dedupe dom0 "]),
        "qvm-btrfs dedupe debian-12:root": Seen(jobs: ["dedupe debian-12 root"]),
        "qvm-btrfs defragment work": Seen(packed: nil, jobs: ["defragment work "]),
        "qvm-btrfs defragment work:private": Seen(packed: nil, jobs: ["defragment work private"]),
        "qvm-btrfs sparsify work": Seen(jobs: ["sparsify work "]),
        "qvm-btrfs sparsify work:private": Seen(jobs: ["sparsify work private"]),
        "qvm-btrfs compress dom0:system": Seen(jobs: ["compress dom0 system"]),
        "qvm-btrfs new-data work --compress zstd": Seen(says: ["zstd"]),
        "qvm-btrfs optimize work --trim": Seen(
            says: ["EMPTIED", "1 qube ", "is done"], packed: ["work"], jobs: ["optimize work "]),
        "qvm-btrfs trim work": Seen(says: ["EMPTIED", "work ", "1 qube "]),
        "qvm-btrfs policy mgmt --qube work --trim": Seen(says: [
            "qubes.VMRootExec +env+fstrim+-2Frw mgmt work allow autostart=no"
        ]),
        "qvm-btrfs jobs": Seen(says: ["No jobs"]),
        "qvm-btrfs jobs --json": Seen(says: [#""jobs":[]"#, #""timeZone":"#]),
        "qvm-btrfs audit": Seen(says: ["mgmt called btrfs.Report for work"]),
        "qvm-btrfs audit --since 24h --caller mgmt": Seen(says: ["mgmt called"]),
        "qvm-btrfs policy mgmt --tag created-by-mgmt": Seen(says: [
            "admin.vm.List    * mgmt @tag:created-by-mgmt allow target=dom0"
        ]),
        "qvm-btrfs setup --dry-run": Seen(says: [
            "new data is not compressed", "systemctl enable --now qubes-btrfs-compress.service",
        ]),
        "job=$(qvm-btrfs compress work --no-wait)": Seen(packed: nil, jobs: ["compress work "]),
        #"qvm-btrfs watch "$job" --json"#: Seen(
            says: [#""message":"job""#], packed: ["work"], jobs: ["compress work "]),
    ]
    private static let all4: Set<String> = ["work", "personal", "debian-12", "vault"]

    /// What only one command does.
    private func look(_ command: String, _ world: DocumentWorld) throws {
        switch command {
        case "qvm-btrfs report --html disk.html":
            let page = try String(contentsOfFile: world.folder + "/disk.html", encoding: .utf8)
            #expect(page.lowercased().hasPrefix("<!doctype html>"))
        case "qvm-btrfs compress dom0:system":
            #expect(try world.isPacked(world.system))
        case "qvm-btrfs new-data work --compress zstd":
            let folder = world.fileSystem.pool + "/appvms/work"
            let property = try Command.check("btrfs", "property", "get", folder, "compression")
            #expect(property.output.contains("zstd"))
        default: break
        }
    }

    /// The same, of a job that is there: its first digits stand for those that are written.
    private static let aboutAJob = [
        "watch": "is done", "cancel": "was cancelled", "pause": "", "resume": "",
    ]

    @Test("Each of them", arguments: Self.all)
    func each(command: String) throws {
        let world = try DocumentWorld()
        let words = command.split(separator: " ").map(String.init)
        if words.count == 3, words[2].allSatisfy(\.isHexDigit), let says = Self.aboutAJob[words[1]]
        {
            return try world.control(words[1], says: says)
        }
        guard let seen = Self.sees[command] else {
            Issue.record("nobody looks at what it does: \(command)")
            return
        }
        var script = command
        if script.contains("$job") {
            script = "job=$(qvm-btrfs compress work --no-wait)\n" + script
        }
        let trims = words[1] == "trim" || words[1] == "optimize" && words.last == "--trim"
        if trims { try world.letRun("work") }
        if words.contains("audit") { script += " --journal \(try world.journal())" }
        if words.contains("setup") { script += " --system-root \(try world.systemRoot())" }
        let ending = try world.shell(script)
        // A check finds what it finds of the machine that runs the tests.
        #expect([0, words.contains("check") ? 7 : 0].contains(ending.status), "\(ending.errors)")
        for text in seen.says { #expect(ending.output.contains(text)) }
        let jobs = try world.jobs().map { "\($0.operation.rawValue) \($0.target) \($0.argument)" }
        #expect(jobs == seen.jobs)
        if let packed = seen.packed {
            let found = try world.packed()
            #expect(found == packed)
        }
        try look(command, world)
        let sums = try world.sums()
        #expect(sums == world.before)
    }

    @Test("None is looked for that is not there any more")
    func stale() {
        #expect(Self.all.count > 20)
        for command in Self.sees.keys { #expect(Self.all.contains(command), "\(command)") }
    }
}
