// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@testable import SystemCalls

@Suite("A thread that keeps its weight")
struct ForegroundThreadTests {
    /// Of the thread that opens it.
    private static let ownName = "/proc/thread-self/comm"

    private static func weight() -> Int32 {
        getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
    }

    @Test("Calls of many threads are made one after the other, each for who has asked")
    func calls() throws {
        let foreground = try ForegroundThread()
        let atOnce = Monitor((now: 0, most: 0))
        let sums = Monitor([Int: Int]())
        concurrently(count: 64, threads: 8, failure: Never.self) { index in
            let square = foreground.run {
                atOnce.withLock {
                    $0.now += 1
                    $0.most = max($0.most, $0.now)
                }
                defer { atOnce.withLock { $0.now -= 1 } }
                return index * index
            }
            sums.withLock { $0[index] = square }
        }
        #expect(
            sums.withLock { $0 }
                == Dictionary(uniqueKeysWithValues: (0..<64).map { ($0, $0 * $0) }))
        #expect(atOnce.withLock { $0.most } == 1)
    }

    @Test("It has the weight of who started it, and others step back without it")
    func weight() throws {
        let weights = Monitor<(before: Int32, own: Int32, foreground: Int32)?>(nil)
        try WorkThread.start {
            let before = Self.weight()
            let foreground = try? ForegroundThread()
            Priority.stepBackOnCPU()
            let kept = foreground?.run { Self.weight() }
            weights.withLock { $0 = (before, Self.weight(), kept ?? -100) }
        }
        let found = weights.wait { $0 }
        #expect(found?.foreground == found?.before)
        #expect(found?.own == 19)
    }

    @Test("It ends when nobody needs it")
    func end() throws {
        func threads() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").filter {
                let file = "/proc/self/task/\($0)/comm"
                let name = try? String(contentsOfFile: file, encoding: .utf8)
                return name == "foreground-end\n"
            }.count
        }
        do {
            let foreground = try ForegroundThread()
            foreground.run {
                let file = try? FileHandle(forWritingTo: URL(fileURLWithPath: Self.ownName))
                try? file?.write(contentsOf: Data("foreground-end".utf8))
            }
            #expect(try threads() == 1)
        }
        for _ in 0..<500 {
            if try threads() == 0 { return }
            Pause.milliseconds(20)
        }
        Issue.record("it goes on")
    }
}
