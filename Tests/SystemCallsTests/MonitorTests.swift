// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls
import SystemPackage
import Testing

@Suite("Waiting for state")
struct MonitorTests {
    @Test("A wait whose condition holds takes the result and changes the state at once")
    func immediate() {
        let monitor = Monitor([1, 2, 3])
        let taken = monitor.wait { $0.popLast() }
        #expect(taken == 3)
        #expect(monitor.withLock { $0 } == [1, 2])
    }

    @Test(
        "A wait whose condition never holds gives nil after its timeout", arguments: [0, 0.02, -1])
    func timeout(seconds: Double) {
        let monitor = Monitor(0)
        #expect(monitor.wait(timeoutSeconds: seconds) { _ -> Int? in nil } == nil)
    }

    @Test("A change under the lock wakes who waits, and the answer goes back the same way")
    func wakeup() throws {
        let monitor = Monitor(0)
        try WorkThread.start {
            _ = monitor.wait(timeoutSeconds: patienceSeconds) { $0 == 1 ? true : nil }
            monitor.withLock { $0 = 2 }
        }
        monitor.withLock { $0 = 1 }
        #expect(monitor.wait(timeoutSeconds: patienceSeconds) { $0 == 2 ? $0 : nil } == 2)
    }

    @Test("A wait that changes the state wakes the others")
    func waitWakes() throws {
        let monitor = Monitor(0)
        for step in 1...3 {
            try WorkThread.start {
                _ = monitor.wait(timeoutSeconds: patienceSeconds) { state -> Bool? in
                    guard state == step else { return nil }
                    state += 1
                    return true
                }
            }
        }
        monitor.withLock { $0 = 1 }
        #expect(monitor.wait(timeoutSeconds: patienceSeconds) { $0 == 4 ? true : nil } == true)
    }

    @Test("An error leaves the lock free")
    func errorUnlocks() {
        let monitor = Monitor(0)
        #expect(throws: Errno.ioError) {
            try monitor.withLock { (state: inout Int) throws(Errno) in
                state = 5
                throw Errno.ioError
            }
        }
        #expect(monitor.withLock { $0 } == 5)
    }
}
