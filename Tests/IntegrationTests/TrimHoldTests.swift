// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import TestSupport
import Testing

/// Jobs hold while a qube trims, by the real client, daemon and worker.
@Suite("Jobs beside a trim", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason), .serialized)
struct TrimHoldTests {
    /// `work` trims for as long as a test wants it to.
    private func world() throws -> TrimWorld {
        let world = try TrimWorld(
            [.init(name: "work"), .init(name: "other")], running: ["work", "other"], mebibytes: 16)
        try world.set(
            "work", "while [ ! -e \"$mount/../../open\" ]; do sleep 0.02; done")
        return world
    }

    /// Lets `work` trim.
    private func open(_ world: TrimWorld) throws {
        try Data().write(to: URL(fileURLWithPath: world.fileSystem.folder + "/open"))
    }

    private func submit(
        _ world: TrimWorld, on target: String, _ payload: String = ""
    ) throws -> String {
        try DaemonRun.reply(
            world.daemon.call(
                "btrfs.Compress", from: "dom0", to: .name(target), payload: payload),
            as: JobAccepted.self
        ).job
    }

    private func record(_ world: TrimWorld, _ job: String) throws -> JobRecord {
        let list = try DaemonRun.reply(
            world.daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")),
            as: JobList.self)
        return try #require(list.jobs.first { $0.job == job })
    }

    /// Waits until a job is so; it must not end before.
    @discardableResult
    private func wait(
        _ world: TrimWorld, _ job: String, until isSo: (JobRecord) -> Bool
    ) throws -> JobRecord {
        while true {
            let record = try record(world, job)
            if isSo(record) { return record }
            try #require(!record.isOver, "\(record)")
            usleep(10_000)
        }
    }

    private func isHeld(_ record: JobRecord) -> Bool {
        record.progress?.pacing?.reason == .trim && record.progress?.pacing?.qube == "work"
    }

    /// A client at whose wish `work` trims.
    private func trimming(_ world: TrimWorld) throws -> ProgramBeside {
        let client = try world.start("trim", "work")
        world.waitUntilAsked()
        return client
    }

    /// A job on `work`, which holds.
    private func heldJob(_ world: TrimWorld) throws -> String {
        let job = try submit(world, on: "work")
        try wait(world, job, until: isHeld)
        return job
    }

    private func end(_ world: TrimWorld, _ job: String) throws -> JobRecord {
        try DaemonRun.reply(
            world.daemon.call("btrfs.job.Watch", argument: job, from: "dom0", to: .name("dom0")),
            as: JobRecord.self)
    }

    private func change(_ world: TrimWorld, _ word: WorkerControl, _ job: String) throws {
        _ = try DaemonRun.reply(
            world.daemon.call(
                word.service.rawValue, argument: job, from: "dom0", to: .name("dom0")),
            as: JobRecord.self)
    }

    /// The words of the log about holds.
    private func holds(_ world: TrimWorld) throws -> [String] {
        try String(contentsOfFile: world.daemon.log, encoding: .utf8).split(separator: "\n")
            .map(String.init).filter { $0.contains("service=btrfs.job.Hold ") }
    }

    @Test("A job at work on all qubes holds, says why, and goes on when the trim is over")
    func atWork() throws {
        let world = try world()
        try Files.write(
            Content.text(mebibytes: 64, seed: 3),
            to: world.fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z"))
        let job = try submit(world, on: "dom0", #"{"version":1,"level":19}"#)
        try wait(world, job) { $0.progress?.stage == .execute }
        let errors = world.fileSystem.folder + "/errors"
        let client = try ProgramBeside(
            ["sh", "-c", "exec \"$@\" 2>\"$0\"", errors] + world.words(["work"]))
        world.waitUntilAsked()
        let held = try wait(world, job, until: isHeld)
        #expect(held.state == .running && held.progress?.pacing?.state == .held)
        // What was in the kernel by then is over at the next word of it.
        let first = try wait(world, job) { isHeld($0) && $0.progress != held.progress }
        let second = try wait(world, job) { isHeld($0) && $0.progress != first.progress }
        #expect(second.progress?.doneBytes == first.progress?.doneBytes)
        let jobs = try world.daemon.client("jobs").output
        let text = jobs.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("Job \(job) is held since "))
        #expect(text.contains(": work is being trimmed. It goes on by itself afterwards."))
        #expect(jobs.split(separator: "\n").allSatisfy { $0.count <= 80 })
        try open(world)
        #expect(client.wait() == 0)
        let after = try wait(world, job) { !isHeld($0) }
        #expect(after.state == .running)
        try change(world, .cancel, job)
        _ = try end(world, job)
        let said = try String(contentsOfFile: errors, encoding: .utf8)
        #expect(said.contains("work: trimming") && !said.contains("at work there"))
        let log = try holds(world)
        #expect(log.count == 2 && log[0].contains("target=work"))
        #expect(log[1].contains("event=call-end") && log[1].contains("outcome=done"))
    }

    @Test("A job that begins meanwhile holds until then, and one on another qube does not")
    func begins() throws {
        let world = try world()
        let client = try trimming(world)
        let job = try heldJob(world)
        #expect(try end(world, submit(world, on: "other")).state == .done)
        #expect(isHeld(try record(world, job)))
        try open(world)
        #expect(client.wait() == 0)
        #expect(try end(world, job).state == .done)
    }

    @Test("A client that is killed lets go, though the qube trims on")
    func killed() throws {
        let world = try world()
        let client = try trimming(world)
        let job = try heldJob(world)
        client.signal(SIGKILL)
        #expect(try end(world, job).state == .done)
        try open(world)
    }

    @Test("A held job is cancelled at once, and one that somebody has paused stays paused")
    func controls() throws {
        let world = try world()
        let client = try trimming(world)
        let first = try heldJob(world)
        try change(world, .cancel, first)
        #expect(try end(world, first).state == .cancelled)
        let second = try heldJob(world)
        try change(world, .pause, second)
        try open(world)
        #expect(client.wait() == 0)
        #expect(try record(world, second).state == .paused)
        try change(world, .resume, second)
        #expect(try end(world, second).state == .done)
    }

    @Test("Where nobody holds it the trim is done all the same, and says which job is at work")
    func without() throws {
        let world = try world()
        try open(world)
        try Files.write(
            Content.text(mebibytes: 64, seed: 3),
            to: world.fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z"))
        // As many as one caller may have.
        let calls = try (0..<4).map { _ in
            let socket = try UnixSocket.connect(world.daemon.socket)
            try socket.send(Array("btrfs.job.Hold+ dom0 name other\0".utf8))
            try socket.shutdownWriting()
            _ = try socket.read(maximumBytes: 1)
            return SharedDescriptor(socket)
        }
        let job = try submit(world, on: "work", #"{"version":1,"level":19}"#)
        try wait(world, job) { $0.state == .running }
        let ending = try world.trim("work")
        #expect(ending.status == 0)
        #expect(ending.errors.contains("Job \(job) is at work there"))
        #expect(world.asked == ["work: fstrim /rw"])
        for call in calls { call.descriptor.shutdownBoth() }
        try change(world, .cancel, job)
        _ = try end(world, job)
    }

    @Test("An admin qube holds with the lines for a trim, and trims without that one as before")
    func admin() throws {
        let world = try world()
        let printed = try ["--read-only", "--trim"].map {
            try Command.check(Command.program("qvm-btrfs"), "policy", "mgmt", "--all", $0).output
        }
        let lines = printed.joined()
        let hold = "btrfs.job.Hold + mgmt @anyvm allow target=dom0\n"
        #expect(lines.contains(hold))
        try open(world)
        let ending: Command.Ending
        do {
            let mgmt = try world.admin(lines.replacing(hold, with: ""))
            ending = try mgmt.client(["trim", "work"])
        }
        #expect(ending.status == 0)
        // Nobody is told of a right that is not needed.
        #expect(ending.errors == "work: trimming (1 of 1)\n")
        #expect(try holds(world).isEmpty)
        try FileManager.default.removeItem(atPath: world.fileSystem.folder + "/open")
        let mgmt = try world.admin(lines)
        let client = try mgmt.start("trim", "work")
        while world.asked.count < 2 { usleep(10_000) }
        let job = try heldJob(world)
        #expect(try holds(world).first?.contains("caller=mgmt") == true)
        // Nothing but what the service tries to tell shows that it is gone.
        client.signal(SIGKILL)
        #expect(try end(world, job).state == .done)
        try open(world)
        _ = client.wait()
    }
}
