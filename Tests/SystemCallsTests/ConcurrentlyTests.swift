// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
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
        let arrived = Monitor((count: 0, met: 0))
        concurrently(count: 4, threads: 4, failure: Never.self) { _ in
            arrived.withLock { $0.count += 1 }
            let all = arrived.wait(timeoutSeconds: patienceSeconds) { $0.count == 4 ? true : nil }
            // With fewer threads the last piece would come when the first had given up.
            if all == true { arrived.withLock { $0.met += 1 } }
        }
        #expect(arrived.withLock { $0.met } == 4)
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

    @Test("Pieces under way are waited for, also when another has failed")
    func waitsForAll() {
        let state = Monitor((arrived: 0, hasReturned: false, sawReturn: false))
        let caller = pthread_self()
        #expect(throws: Errno.noSpace) {
            try concurrently(count: 2, threads: 2, failure: Errno.self) { (_) throws(Errno) in
                state.withLock { $0.arrived += 1 }
                _ = state.wait(timeoutSeconds: patienceSeconds) { $0.arrived == 2 ? true : nil }
                // Fails on the thread of the caller, which would then be free to return.
                if pthread_equal(pthread_self(), caller) != 0 { throw Errno.noSpace }
                let isLate = state.wait(timeoutSeconds: 0.2) { $0.hasReturned ? true : nil }
                state.withLock { $0.sawReturn = isLate == true }
            }
        }
        state.withLock { $0.hasReturned = true }
        _ = state.wait(timeoutSeconds: 0.5) { $0.sawReturn ? true : nil }
        #expect(!state.withLock { $0.sawReturn })
    }
}
