// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Jobs that are given a time, by the real worker.
@Suite("Jobs in pieces on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct PiecesTests {
    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]
    private let work = WorkerOrder.Work.optimize(level: 9, running: false)
    /// No piece needs longer on any machine that tests run on.
    private static let longestSeconds = 1024

    /// Half is double, half shrinks alone, and there are more batches than lanes.
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        for number in 0..<12 {
            let text = Content.text(mebibytes: 4, seed: UInt64(1 + number))
            for name in ["work", "copy"] {
                let own = Content.text(
                    mebibytes: 4, seed: UInt64(100 + number + (name == "work" ? 0 : 50)))
                try Files.write(
                    text + own,
                    to: fileSystem.image(
                        "appvms/\(name)/private.img.\(number)@2026-01-02T03:04:05Z"))
            }
            try fileSystem.synchronize()
        }
        return fileSystem
    }

    private func session(
        _ seconds: Int, on fileSystem: LoopFileSystem, _ other: WorkerOrder.Work? = nil
    ) throws -> WorkerSession {
        var order = WorkerRun.order(other ?? work, volumes, on: fileSystem)
        order.forSeconds = seconds
        return try WorkerSession(
            order, options: ["--cache-directory", fileSystem.folder])
    }

    private func result(_ session: WorkerSession) throws -> JobResult {
        guard case .result(let result)? = try session.last() else {
            throw WorkerRun.UnexpectedEnd(message: "\(String(describing: session.messages.last))")
        }
        return result
    }

    /// A piece that has done something and not all. It is held once it has, until its time is over:
    /// so it ends there however fast the machine is. Where it is too slow to have done something by
    /// then it is given more.
    private func cut(_ fileSystem: LoopFileSystem) throws -> JobResult {
        var seconds = 2
        while seconds <= Self.longestSeconds {
            let session = try session(seconds, on: fileSystem)
            if let progress = try session.progress(until: \.isHalfWay) {
                session.say(.pause)
                #expect((progress.stopsInSeconds ?? 1e9) <= Double(seconds))
                return try result(session)
            }
            // It has said so, and has not done half a thing.
            #expect(try result(session).left != nil)
            seconds *= 2
        }
        throw WorkerRun.UnexpectedEnd(message: "no piece came to move anything")
    }

    @Test("In pieces a job ends where one sitting does, and no content changes")
    func pieces() throws {
        let sitting = try populated()
        try WorkerRun.job(work, volumes, on: sitting)
        let whole = try sitting.dataUsedBytes()
        let fileSystem = try populated()
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        var leftBytes = UInt64.max
        for _ in 0..<2 {
            let used = try fileSystem.dataUsedBytes()
            let piece = try cut(fileSystem)
            let left = try #require(piece.left)
            #expect(left.leftBytes > 0 && left.leftBytes < left.plannedBytes)
            #expect(left.leftBytes < leftBytes, "it goes on where the last one ended")
            #expect(left.leftContentBytes >= left.leftBytes)
            #expect(left.unplannedFileSystems == nil)
            #expect(piece.measuredDataBytes == Int64(used) - Int64(try fileSystem.dataUsedBytes()))
            #expect(piece.savedBytes > 0)
            #expect(try fileSystem.inventory() == inventory)
            leftBytes = left.leftBytes
        }
        let last = try result(session(Self.longestSeconds, on: fileSystem))
        #expect(last.left == nil)
        #expect(last.extentsReplaced > 0, "what was left was not settled")
        #expect(try fileSystem.inventory() == inventory)
        let used = try fileSystem.dataUsedBytes()
        #expect(used < before / 2)
        #expect(Double(used) <= Double(whole) * 1.02, "\(used) for \(whole)")
        // What has come to its end is settled.
        let again = try result(session(Self.longestSeconds, on: fileSystem))
        #expect(again.extentsReplaced == 0 && again.left == nil)
    }

    @Test("What the time did not suffice for is not settled: the next job does it")
    func unheld() throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        // As slow as can be: it is cut in a second or in two, or four, wherever it runs.
        let slow = WorkerOrder.Work.compress(level: 15, running: false)
        var seconds = 1
        while seconds <= Self.longestSeconds {
            let piece = try result(session(seconds, on: fileSystem, slow))
            // A machine on which it is done in a second more than in half of it has nothing to cut.
            guard let left = piece.left else { return }
            if piece.extentsReplaced > 0, left.leftBytes > 0 {
                let rest = try result(session(Self.longestSeconds, on: fileSystem, slow))
                #expect(rest.extentsReplaced > 0 && rest.left == nil)
                #expect(try fileSystem.inventory() == inventory)
                return
            }
            seconds *= 2
        }
        Issue.record("no piece came to move anything")
    }

    @Test("A job that is held before it has moved anything ends, and says so")
    func heldAtOnce() throws {
        let fileSystem = try populated()
        let before = try fileSystem.dataUsedBytes()
        let session = try session(1, on: fileSystem)
        session.say(.pause)
        let piece = try result(session)
        let left = try #require(piece.left)
        #expect(left.forSeconds == 1)
        #expect(piece.extentsReplaced == 0)
        #expect(left.unplannedFileSystems == 1 || left.leftBytes == left.plannedBytes)
        #expect(try fileSystem.dataUsedBytes() == before)
    }

    @Test("Through the door: the client gives the time, and says what became of it")
    func client() throws {
        let fileSystem = try populated()
        let daemon = try DaemonRun(on: fileSystem)
        let ending = try daemon.client("optimize", "--all", "--for", "7d")
        #expect(ending.status == 0)
        #expect(ending.output.contains("is done in"), "\(ending.output)")
        #expect(!ending.output.contains("Left:"))
        let log = try String(contentsOfFile: daemon.log, encoding: .utf8)
        #expect(log.contains("for 604800 s"))
    }
}
