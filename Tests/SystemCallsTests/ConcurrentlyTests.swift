// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls
import SystemPackage
import Testing

@Suite("Running pieces of work on threads")
struct ConcurrentlyTests {
    @Test("Every piece runs exactly once", arguments: [1, 4, 32])
    func allPieces(threads: Int) {
        let runs = Monitor([Int](repeating: 0, count: 1000))
        concurrently(count: 1000, threads: threads, failure: Never.self) { index in
            runs.withLock { $0[index] += 1 }
        }
        #expect(runs.withLock { $0 } == [Int](repeating: 1, count: 1000))
    }

    @Test("As many pieces as there are threads run at the same time")
    func sameTime() {
        let arrived = Monitor(0)
        concurrently(count: 4, threads: 4, failure: Never.self) { _ in
            arrived.withLock { $0 += 1 }
            _ = arrived.wait(timeoutSeconds: patienceSeconds) { $0 == 4 ? true : nil }
        }
        #expect(arrived.withLock { $0 } == 4)
    }

    @Test("No more pieces than threads run at the same time")
    func bounded() {
        let running = Monitor((now: 0, most: 0))
        concurrently(count: 200, threads: 3, failure: Never.self) { _ in
            running.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            running.withLock { $0.now -= 1 }
        }
        let (now, most) = running.withLock { $0 }
        #expect(now == 0)
        #expect((1...3).contains(most))
    }

    @Test("No piece, no call; and no thread is one thread")
    func nothing() {
        let calls = Monitor(0)
        concurrently(count: 0, threads: 4, failure: Never.self) { _ in calls.withLock { $0 += 1 } }
        #expect(calls.withLock { $0 } == 0)
        concurrently(count: 2, threads: 0, failure: Never.self) { _ in calls.withLock { $0 += 1 } }
        #expect(calls.withLock { $0 } == 2)
    }

    @Test("After an error no further piece starts, and the error is thrown")
    func stops() {
        let started = Monitor([Int]())
        #expect(throws: Errno.noSpace) {
            try concurrently(count: 100, threads: 1, failure: Errno.self) {
                (index) throws(Errno) in
                started.withLock { $0.append(index) }
                if index == 3 { throw Errno.noSpace }
            }
        }
        #expect(started.withLock { $0 } == [0, 1, 2, 3])
    }

    @Test("Of several errors the first is thrown, and pieces under way are waited for")
    func firstError() {
        let state = Monitor((failed: false, ended: 0))
        #expect(throws: Errno.noSpace) {
            try concurrently(count: 2, threads: 2, failure: Errno.self) {
                (index) throws(Errno) in
                if index == 0 {
                    // Fails only once the other is sure to run, and before it fails.
                    _ = state.wait(timeoutSeconds: patienceSeconds) { $0.ended == 1 ? true : nil }
                    state.withLock { $0.failed = true }
                    throw Errno.noSpace
                }
                state.withLock { $0.ended = 1 }
                _ = state.wait(timeoutSeconds: patienceSeconds) { $0.failed ? true : nil }
                state.withLock { $0.ended = 2 }
            }
        }
        #expect(state.withLock { $0.ended } == 2)
    }
}
