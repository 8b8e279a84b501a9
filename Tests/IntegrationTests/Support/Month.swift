// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import TestSupport
import Testing

/// The machine, and what has to have become of it.
final class Month {
    let machine: MonthMachine
    let images: MonthImages
    let qubesd: QubesdStandIn
    var qubes: [QubesXML.Qube]
    /// Each job that there has to be: of what, and what became of it.
    var expected: [(target: String, state: JobState)] = []

    init() throws {
        let disk = try LoopFileSystem(mebibytes: 1536)
        images = MonthImages(disk)
        qubes = [.init(name: "deb", kind: "TemplateVM"), .init(name: "work"), .init(name: "old")]
        qubesd = try QubesdStandIn(
            .init(qubes: [
                "dom0": "class=AdminVM state=Running", "deb": "class=TemplateVM state=Halted",
                "work": "class=AppVM state=Halted", "old": "class=AppVM state=Halted",
                "disp1": "class=DispVM state=Running",
            ]))
        machine = try MonthMachine(disk, qubesd, at: "2026-03-01 12:00:00")
        try images.make(MonthImages.root("deb"), Content.text(mebibytes: 8, seed: 1))
        try images.make(MonthImages.own("work"), Content.text(mebibytes: 8, seed: 2))
        try images.make(MonthImages.own("old"), Content.text(mebibytes: 2, seed: 3))
        try writeInventory()
        try machine.boot()
    }

    /// - Parameter level: what dom0's feature says.
    func writeInventory(level: Int = 3) throws {
        let text = QubesXML.text(pool: machine.fileSystem.pool, qubes) { name in
            name == "dom0" ? #"<feature name="btrfs.compress">zstd:\#(level)</feature>"# : ""
        }
        try Data(text.utf8).write(
            to: URL(fileURLWithPath: machine.fileSystem.folder + "/qubes.xml"), options: .atomic)
    }

    // MARK: What holds at each moment

    /// There are these jobs and no others, in this order.
    func expectJobs(_ location: SourceLocation = #_sourceLocation) throws {
        let found = try machine.jobs().map { "\($0.target) \($0.state.rawValue)" }
        let wanted = expected.map { "\($0.target) \($0.state.rawValue)" }
        #expect(found == wanted, sourceLocation: location)
    }

    /// A job comes to its end, the one that there has to be next; of all that is on disk nothing
    /// has changed, and it takes no more than before.
    @discardableResult
    func expectEnd(
        of target: String, _ state: JobState = .done, usedBefore: Int64,
        _ location: SourceLocation = #_sourceLocation
    ) throws -> JobRecord {
        let record = try machine.job(expected.count) { $0.isOver }
        expected.append((target, state))
        try expectJobs(location)
        #expect(record.operation == .optimize && record.caller == "dom0", sourceLocation: location)
        try expectUnharmed(usedBefore: usedBefore, location)
        return record
    }

    func expectUnharmed(
        usedBefore: Int64, _ location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(try images.changed() == [], sourceLocation: location)
        let used = try machine.fileSystem.deviceUsedBytes()
        #expect(used <= usedBefore, sourceLocation: location)
    }

    /// The weekly unit has ended like this, with this of all its runs.
    func expectRun(
        _ number: Int, failed: Bool = false, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let end = try #require(machine.run).end()
        #expect(machine.runs == number, sourceLocation: location)
        #expect(end.hasFailed == failed, "\(end)", sourceLocation: location)
        // What the journal has of it, for who reads it.
        let lines = end.output.split(separator: "\n")
        #expect(lines.count == 1 && end.errors.isEmpty, "\(end)", sourceLocation: location)
        let ending = failed ? "optimize dom0 failed: " : "optimize dom0 is done: "
        #expect(lines.first?.hasPrefix(ending) == true, "\(end)", sourceLocation: location)
    }

    var used: Int64 { get throws { try machine.fileSystem.deviceUsedBytes() } }
}

// MARK: What is left of it

extension Month {
    /// Each request, start and end is in the audit, once; nothing of a job is left on the machine,
    /// and images are what they were, read from the disk.
    func nothingIsLeft() throws {
        let jobs = try machine.jobs()
        try machine.shutDown()
        try expectAudit(of: jobs)
        let disk = machine.fileSystem
        _ = try machine.wait("no process of ours is left") { try processes().isEmpty ? true : nil }
        _ = try machine.wait("no descriptor of ours is left") {
            try descriptors().isEmpty ? true : nil
        }
        let mounts = try Command.run(["findmnt", "--list", "--noheadings", "--output", "TARGET"])
        let own = mounts.output.split(separator: "\n").filter { $0.hasPrefix(disk.folder) }
        #expect(own.map(String.init) == [disk.path])
        #expect(!FileManager.default.fileExists(atPath: disk.folder + "/state/continue.json"))
        // Who had anything open on it would keep it from this.
        try disk.remount()
        #expect(try images.changed() == [] && images.count > 6)
    }

    private func expectAudit(of jobs: [JobRecord]) throws {
        let lines = try String(contentsOfFile: machine.log, encoding: .utf8)
            .split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        func count(_ job: JobRecord, _ words: String...) -> Int {
            lines.count(where: {
                Set($0).isSuperset(of: words + ["job=\(job.job)", "caller=dom0"])
            })
        }
        for job in jobs {
            let name = "\(job.target) \(job.submittedAt)"
            let asked = "service=btrfs.Optimize"
            #expect(count(job, asked, "event=request", "outcome=accepted") == 1, "\(name)")
            #expect(count(job, "event=job-start") == 1, "\(name)")
            #expect(count(job, "event=job-end") == 1, "\(name)")
            #expect(count(job, "event=job-end", "outcome=\(job.state.rawValue)") == 1, "\(name)")
        }
        let starts = lines.filter { $0.contains("event=job-start") }
        #expect(starts.count == jobs.count)
        // By the test's clock, line for line.
        #expect(lines.allSatisfy { $0.first?.hasPrefix("2026-03-") == true })
        #expect(lines.compactMap(\.first) == lines.compactMap(\.first).sorted())
    }

    /// Processes whose command lines name the test's folder.
    private func processes() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
            let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") ?? Data()
            return name.allSatisfy(\.isNumber)
                && String(decoding: line, as: UTF8.self).contains(machine.fileSystem.folder)
        }
    }

    /// What this process has open below the test's folder.
    private func descriptors() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")
        }.filter { $0.hasPrefix(machine.fileSystem.folder) }
    }
}
