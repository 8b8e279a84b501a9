// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import TestSupport
import Testing

/// What a hostile qube does to the built daemon, with all that it may start.
@Suite("Abuse of the real daemon", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct AbuseTests {
    static let calls = 10_000
    static let atOnce = 300
    static let growthBytes = 16 << 20

    /// Sends a call and gives what comes back; nil when nobody waited for it.
    private static func send(
        _ bytes: [UInt8], _ manner: HostileCalls.Manner, to socket: FilePath
    ) throws -> [UInt8]? {
        let connection = try UnixSocket.connect(socket, timeoutSeconds: 60)
        QrexecCall.send(bytes, on: connection)
        if manner == .hangsUp { return nil }
        try? connection.shutdownWriting()
        if manner == .doesNotRead { return nil }
        return try connection.readToEnd(limitBytes: Limits.replyBytes)
    }

    private func isEnvelope(_ bytes: [UInt8]) -> Bool {
        var reader = EnvelopeReader()
        reader.append(bytes)
        while (try? reader.nextEvent()) != nil {}
        return (try? reader.last()) != nil
    }

    /// Waits until nothing is at work any more for calls of ours, and gives the descriptors.
    private func settledDescriptors(_ daemon: DaemonRun) throws -> Int {
        _ = try DaemonRun.reply(
            daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self)
        var last = -1
        while true {
            let jobs = try DaemonRun.reply(
                daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self)
            let now = try #require(ProcessFigures.descriptors(of: daemon.identifier))
            let isIdle = jobs.jobs.allSatisfy(\.isOver) && daemon.workers.isEmpty
            if isIdle && now == last { return now }
            last = now
            usleep(50_000)
        }
    }

    @Test("10,000 random and mutated calls leave it alive, no larger, and with no descriptor more")
    func manyCalls() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let daemon = try DaemonRun(on: fileSystem)
        var hostile = HostileCalls(seed: 20_261_123)
        // What every daemon takes once it has worked at all.
        for _ in 0..<100 {
            let (bytes, manner) = hostile.next()
            _ = try Self.send(bytes, manner, to: daemon.socket)
        }
        let descriptors = try settledDescriptors(daemon)
        let memory = try #require(ProcessFigures.bytes("VmRSS", of: daemon.identifier))
        var answers = 0
        for _ in 0..<Self.calls {
            let (bytes, manner) = hostile.next()
            guard let answer = try Self.send(bytes, manner, to: daemon.socket) else { continue }
            answers += 1
            #expect(isEnvelope(answer), "\(bytes)")
        }
        #expect(daemon.isRunning)
        #expect(answers > Self.calls * 3 / 4)
        #expect(try settledDescriptors(daemon) == descriptors)
        let after = try #require(ProcessFigures.bytes("VmRSS", of: daemon.identifier))
        #expect(after - memory <= Self.growthBytes, "\(memory) to \(after)")
        let log = try String(contentsOfFile: daemon.log, encoding: .utf8)
        #expect(log.utf8.allSatisfy { (0x20...0x7e).contains($0) || $0 == 0x0a })
    }

    @Test("300 calls at once are each answered or refused in so many words")
    func manyAtOnce() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let daemon = try DaemonRun(on: fileSystem)
        let descriptors = try settledDescriptors(daemon)
        let answers = Monitor<[[UInt8]?]>([])
        for index in 0..<Self.atOnce {
            let header = CallHeader(
                service: "btrfs.job.List", argument: "", source: "qube\(index % 40)",
                target: .name("dom0"))
            let socket = daemon.socket
            try WorkThread.start {
                let answer = (try? Self.send(header.encoded(), .waits, to: socket)) ?? nil
                answers.withLock { $0.append(answer) }
            }
        }
        let all = try #require(
            answers.wait(timeoutSeconds: 120) { $0.count == Self.atOnce ? $0 : nil })
        var replies = 0
        for answer in all {
            do {
                _ = try DaemonRun.reply(try #require(answer), as: JobList.self)
                replies += 1
            } catch let exception as ServiceException {
                #expect(exception.kind == .busy)
            }
        }
        // Some of them found a place, and the daemon is as it was.
        #expect(replies > 0)
        #expect(try settledDescriptors(daemon) == descriptors)
        #expect(daemon.isRunning)
    }
}
