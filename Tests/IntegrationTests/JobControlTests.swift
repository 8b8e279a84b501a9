// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Cancel, pause and resume reach a real worker, and leave nothing half done.
@Suite("Jobs under control on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct JobControlTests {
    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]
    private let slow = WorkerOrder.Work.compress(level: 9, running: false)
    private static let revision = "@2026-01-02T03:04:05Z"

    /// So many extents that they make more batches than there are lanes: when the first is done
    /// there is always something left.
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        for number in 0..<24 {
            let image = fileSystem.image("appvms/work/private.img.\(number)\(Self.revision)")
            try Files.write(Content.text(mebibytes: 4, seed: UInt64(1 + number)), to: image)
            try fileSystem.synchronize()
            try Files.clone(
                image, to: fileSystem.image("appvms/copy/private.img.\(number)\(Self.revision)"))
        }
        try fileSystem.synchronize()
        return fileSystem
    }

    private func session(
        _ work: WorkerOrder.Work, on fileSystem: LoopFileSystem
    ) throws -> WorkerSession {
        try WorkerSession(WorkerRun.order(work, volumes, on: fileSystem))
    }

    @Test("A cancelled job says what it has really saved, and the next one does the rest only")
    func cancelled() throws {
        let fileSystem = try populated()
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let session = try session(slow, on: fileSystem)
        try #require(try session.progress(until: \.isHalfWay) != nil)
        session.say(.cancel)
        guard case .cancelled(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        let after = try fileSystem.dataUsedBytes()
        #expect(result.measuredDataBytes == Int64(before) - Int64(after))
        #expect(result.savedBytes > 0)
        let all = result.extentsSeen
        #expect(result.extentsReplaced > 0 && result.extentsReplaced < all)
        #expect(result.leftAlone.isEmpty, "nothing is left for a reason of its own")
        #expect(try fileSystem.inventory() == inventory)
        let rest = try WorkerRun.job(slow, volumes, on: fileSystem)
        #expect(rest.extentsReplaced == all - result.extentsReplaced)
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("Cancel is obeyed within 10 s, also where a thousand references show each extent")
    func cancelledAmongReferences() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let image = fileSystem.image("appvms/work/private.img")
        // As large as extents with so many references may be, or they are left as they are.
        let extent = Content.text(mebibytes: 4, seed: 5).dropLast(128 << 10)
        try Files.write(Data(), to: image)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: image))
        for _ in 0..<4 {
            try file.write(contentsOf: extent)
            try file.synchronize()
        }
        try file.close()
        for number in 1..<1000 {
            try Files.clone(image, to: "\(image).\(number)\(Self.revision)")
        }
        try Files.write(
            extent + extent + extent + extent, to: fileSystem.image("appvms/copy/private.img"))
        try fileSystem.synchronize()
        // What is not asked about stays, so that all the references have to follow.
        let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy", selected: false)]
        let session = try WorkerSession(
            WorkerRun.order(WorkerRun.dedupe, volumes, on: fileSystem))
        _ = try #require(try session.progress(until: { $0.stage == .execute }))
        // Comparing 16 GiB takes seconds.
        usleep(500_000)
        let start = ContinuousClock.now
        session.say(.cancel)
        guard case .cancelled(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(result.extentsReplaced < 4)
        for number in [1, 500, 999] {
            let copy = try Data(
                contentsOf: URL(fileURLWithPath: "\(image).\(number)\(Self.revision)"))
            #expect(copy == extent + extent + extent + extent)
        }
    }

    @Test("Nothing is half moved after a cancellation: every extent is replaced, or has all it had")
    func nothingIsHalfMoved() throws {
        // One large extent with many references takes a while: the cancellation meets it.
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 32, seed: 3), to: image)
        for number in 0..<20 {
            let copy = "appvms/work/private.img.\(number)\(Self.revision)"
            try Files.clone(image, to: fileSystem.image(copy))
        }
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let session = try session(slow, on: fileSystem)
        try #require(try session.progress(until: { $0.stage == .execute }) != nil)
        session.say(.cancel)
        guard case .cancelled(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        let after = try fileSystem.dataUsedBytes()
        #expect(after <= before, "a second copy of what was half moved would take space")
        #expect(Int64(before) - Int64(after) == result.measuredDataBytes)
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test(
        "A cancellation that comes before anything was moved ends the job in its first stages",
        arguments: [WorkerRun.dedupe, WorkerRun.compress])
    func cancelledAtOnce(work: WorkerOrder.Work) throws {
        let fileSystem = try populated()
        let before = try fileSystem.dataUsedBytes()
        let session = try session(work, on: fileSystem)
        session.say(.cancel)
        guard case .cancelled(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        #expect(result.extentsReplaced == 0)
        #expect(result.problems.isEmpty, "\(result.problems)")
        #expect(try fileSystem.dataUsedBytes() == before)
    }

    @Test("A paused job does nothing until it is resumed, and then all of it")
    func paused() throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let session = try session(slow, on: fileSystem)
        try #require(try session.progress(until: \.isHalfWay) != nil)
        session.say(.pause)
        let isHeld = { (progress: JobProgress) in progress.pacing?.reason == .pause }
        _ = try #require(try session.progress(until: isHeld))
        // What was in the kernel when the pause came is over after one more look at it.
        let first = try #require(try session.progress(until: isHeld))
        let used = try fileSystem.dataUsedBytes()
        let second = try #require(try session.progress(until: isHeld))
        #expect(second.pacing?.state == .held)
        #expect(second.doneBytes == first.doneBytes)
        #expect((second.pacing?.heldShare ?? 0) > (first.pacing?.heldShare ?? 1))
        #expect(try fileSystem.dataUsedBytes() == used)
        session.say(.resume)
        let after = try #require(try session.progress(until: { !isHeld($0) }))
        #expect(after.pacing?.state == .full)
        guard case .result(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        #expect(result.extentsReplaced > 0)
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("A paused job can be cancelled")
    func pausedAndCancelled() throws {
        let fileSystem = try populated()
        let session = try session(slow, on: fileSystem)
        session.say(.pause)
        _ = try session.progress(until: { $0.pacing?.reason == .pause })
        session.say(.cancel)
        guard case .cancelled? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
    }

    @Test("Killed half way, a job goes on where it ended when it is started again")
    func killedHalfWay() throws {
        let fileSystem = try populated()
        let all = try WorkerRun.report(volumes, on: fileSystem).total.extents
        let session = try session(slow, on: fileSystem)
        try #require(try session.progress(until: \.isHalfWay) != nil)
        session.kill()
        let rest = try WorkerRun.job(slow, volumes, on: fileSystem)
        #expect(rest.extentsReplaced > 0)
        #expect(rest.extentsReplaced < all, "what was done is not done again")
        let again = try WorkerRun.job(slow, volumes, on: fileSystem)
        #expect(again.extentsReplaced == 0)
    }

    @Test("All threads of a worker step back on the disk, and on the CPU all but one")
    func priority() throws {
        let fileSystem = try populated()
        let session = try session(slow, on: fileSystem)
        try #require(try session.progress(until: \.isHalfWay) != nil)
        session.say(.pause)
        let tasks = "/proc/\(session.identifier)/task"
        let threads = try FileManager.default.contentsOfDirectory(atPath: tasks)
        #expect(threads.count >= 3)
        // What shares into what may be sent is not to be found half done for long.
        var foreground = 0
        for thread in threads {
            // One that had nothing left to do may be gone.
            guard
                let stat = try? String(
                    contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8)
            else { continue }
            let fields = try #require(stat.split(separator: ")").last).split(separator: " ")
            if fields[16] == "0" { foreground += 1 } else { #expect(fields[16] == "19", "nice") }
            #expect(fields[38] == (fields[16] == "0" ? "0" : "3"), "SCHED_BATCH")
            let disk = try Command.run(["ionice", "-p", thread])
            #expect(disk.status != 0 || disk.output.hasPrefix("idle"), "\(disk.output)")
        }
        #expect(foreground == 1)
        session.say(.cancel)
        _ = try session.last()
    }

    @Test("On battery a job is held unless its order allows it")
    func battery() throws {
        let fileSystem = try populated()
        let supplies = fileSystem.folder + "/supplies"
        for (name, text) in [
            ("AC/type", "Mains"), ("AC/online", "0"), ("BAT0/type", "Battery"),
            ("BAT0/status", "Discharging"),
        ] {
            try Files.write(Data("\(text)\n".utf8), to: "\(supplies)/\(name)")
        }
        var order = WorkerRun.order(WorkerRun.compress, volumes, on: fileSystem)
        let options = ["--power-supplies", supplies]
        let held = try WorkerSession(order, options: options)
        let progress = try #require(try held.progress(until: { $0.pacing?.state == .held }))
        #expect(progress.pacing?.reason == .battery)
        // Mains are back.
        try Files.write(Data("1\n".utf8), to: "\(supplies)/AC/online")
        guard case .result? = try held.last() else {
            Issue.record("\(String(describing: held.messages.last))")
            return
        }
        try Files.write(Data("0\n".utf8), to: "\(supplies)/AC/online")
        order.onBattery = true
        guard case .result? = try WorkerSession(order, options: options).last() else {
            Issue.record("it did not go on")
            return
        }
    }
}
