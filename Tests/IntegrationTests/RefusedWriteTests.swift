// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemPackage
import Testing

/// The device refuses writes: a thin volume or a disk at its end, a file on a full file system.
struct RefusedWriteCase: CustomTestStringConvertible, Sendable {
    /// When it begins.
    enum Moment: String, CaseIterable {
        case beforeTheJob, atItsFirstWord, asItMoves, halfWay
        /// From before the job on, and all is well again after three refused writes.
        case passing
    }

    /// What is refused.
    enum Kind: String, CaseIterable {
        /// New blocks of data; metadata can be written.
        case data
        /// New blocks of everything.
        case everything
        /// Every other mebibyte of data, with EIO.
        case someBlocks
    }

    var verb: Verb
    var kind: Kind
    /// What may be written before it begins to be refused.
    var roomMebibytes = 0
    var moment = Moment.beforeTheJob

    var testDescription: String { "\(verb) \(kind) room \(roomMebibytes) MiB \(moment)" }

    static let rooms = [0, 8, 40]

    static let short: [RefusedWriteCase] = Verb.allCases.flatMap { verb in
        rooms.map { RefusedWriteCase(verb: verb, kind: .data, roomMebibytes: $0) }
            + Kind.allCases.dropFirst().map { RefusedWriteCase(verb: verb, kind: $0) }
            + Moment.allCases.dropFirst().map {
                RefusedWriteCase(verb: verb, kind: .data, moment: $0)
            }
    }

    static let all: [RefusedWriteCase] = Verb.allCases.flatMap { verb in
        Kind.allCases.flatMap { kind in
            rooms.flatMap { room in
                Moment.allCases.map {
                    RefusedWriteCase(verb: verb, kind: kind, roomMebibytes: room, moment: $0)
                }
            }
        }
    }
}

@Suite("A device that refuses writes", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct RefusedWriteTests {
    static let cases = FaultMatrix.isWhole ? RefusedWriteCase.all : RefusedWriteCase.short
    private static let volumes = [WorkerRun.volume("work"), WorkerRun.volume("personal")]

    /// Blocks of 64 KiB, every third of them random, written in no order; four fifths of the other
    /// image are the same. A revision, and a read-only snapshot of all.
    func world() throws -> FaultWorld {
        let world = try FaultWorld(options: ["-d", "single", "-m", "single"])
        try world.write(scattered: Self.work, to: "appvms/work/private.img")
        try world.write(scattered: Self.personal, to: "appvms/personal/private.img")
        try world.clone(
            "appvms/work/private.img",
            to: "appvms/work/private.img.1@2026-01-01T00:00:00Z")
        try world.fileSystem.synchronize()
        return world
    }

    private static let blocks = 384

    private static let work: Data = {
        let text = Content.text(mebibytes: blocks / 16, seed: 1)
        let random = Content.random(mebibytes: blocks / 16, seed: 2)
        return (0..<blocks).reduce(into: Data()) { work, block in
            let range = block << 16..<(block + 1) << 16
            work += block % 3 == 0 ? random[range] : text[range]
        }
    }()

    private static let personal: Data = {
        let other = Content.text(mebibytes: blocks / 16, seed: 3)
        return stride(from: 4, to: blocks, by: 5).reduce(into: work) { personal, block in
            let range = block << 16..<(block + 1) << 16
            personal.replaceSubrange(range, with: other[range])
        }
    }()

    private func refusal(_ test: RefusedWriteCase, _ world: FaultWorld) throws -> Faults.Refusal {
        let data = try DeviceMap(world.fileSystem.path).dataRanges(
            onDevice: 1, sizeBytes: UInt64(512) << 20)
        let room = UInt64(test.roomMebibytes) << 20
        switch test.kind {
        case .data:
            return Faults.Refusal(
                ranges: data, error: .noSpace, roomBytes: room, onlyNewBlocks: true)
        case .everything:
            let size = UInt64(512) << 20
            return Faults.Refusal(
                ranges: [0..<size], error: .noSpace, roomBytes: room, onlyNewBlocks: true)
        case .someBlocks:
            let pieces = data.flatMap { range in
                stride(from: range.lowerBound, to: range.upperBound, by: 2 << 20).map {
                    $0..<min($0 + 1 << 20, range.upperBound)
                }
            }
            return Faults.Refusal(ranges: pieces, roomBytes: room)
        }
    }

    /// Begins to refuse writes at its moment, while the job runs.
    private func run(_ test: RefusedWriteCase, _ world: FaultWorld) throws -> WorkerMessage? {
        var refusal = try refusal(test, world)
        if test.moment == .passing { refusal.countBeforeMended = 3 }
        let begin = { world.device.set { $0.refusals = [refusal] } }
        if [.beforeTheJob, .passing].contains(test.moment) { begin() }
        let session = try WorkerSession(
            WorkerRun.order(test.verb.work, Self.volumes, on: world.fileSystem))
        switch test.moment {
        case .beforeTheJob, .passing: break
        case .atItsFirstWord: _ = try session.next()
        case .asItMoves: try session.progress { $0.stage == .execute }
        case .halfWay: try session.progress(until: \.isHalfWay)
        }
        if ![.beforeTheJob, .passing].contains(test.moment) { begin() }
        return try session.last()
    }

    @Test(
        "Every image reads as before, at once and after a remount, and the job says what happened",
        arguments: cases)
    func contentStays(test: RefusedWriteCase) throws {
        let world = try world()
        let last = try run(test, world)
        let refused = world.device.troubles.writes
        // A file system that the kernel has given up for want of metadata may refuse to read; it
        // must not read otherwise.
        try world.expectWhole("at once", mayRefuse: world.fileSystem.isReadOnly)
        world.device.mend()
        try world.fileSystem.remount()
        try world.dropCaches()
        try world.expectWhole("after a remount")
        // What the device has given up for itself is no matter of the job's.
        guard refused > 0 else { return }
        guard case .failure(_, let message, _)? = last else {
            Issue.record("\(refused) writes were refused, and it says \(String(describing: last))")
            return
        }
        #expect(
            message.contains("refuses writes") || message.contains("read-only"), "\(message)")
        #expect(message.contains("btrfs device stats"), "\(message)")
        // Of what the kernel has given up it need not have counted an error.
        let isGivenUp = message.contains("read-only")
        #expect(isGivenUp || message.contains(world.device.path), "\(message)")
    }

    @Test(
        "A job that finds its file system made read-only ends, and says who did it",
        arguments: Verb.allCases)
    func madeReadOnly(verb: Verb) throws {
        let world = try world()
        let session = try WorkerSession(
            WorkerRun.order(verb.work, Self.volumes, on: world.fileSystem))
        try session.progress { $0.stage == .execute }
        // Trees alone cannot be written: the next commit is the last.
        let trees = try DeviceMap(world.fileSystem.path).treeRanges(onDevice: 1)
        #expect(!trees.isEmpty)
        world.device.set { $0.refusals = [.init(ranges: trees)] }
        let start = ContinuousClock.now
        let last = try session.last()
        // On a machine that does nothing else it takes one; a job that went on would take for ever.
        #expect(ContinuousClock.now - start < .seconds(60))
        #expect(try world.fileSystem.isReadOnly)
        guard case .failure(let kind, let message, _)? = last else {
            Issue.record("it says \(String(describing: last))")
            return
        }
        #expect(kind == "BtrfsPoolError", "\(message)")
        #expect(message.contains("the kernel has made"), "\(message)")
        #expect(message.contains("btrfs device stats"), "\(message)")
        world.device.mend()
        try world.fileSystem.remount()
        try world.expectWhole("after a remount")
    }
}
