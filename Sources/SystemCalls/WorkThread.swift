// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// A thread of our own, for calls that block: Swift's pool has one thread a core, and a kernel call
/// that takes a second would stop everything else.
public enum WorkThread {
    /// The stack of such a thread, in bytes.
    public static let stackBytes = 512 * 1024

    /// Starts a thread that nobody waits for.
    public static func start(_ body: sending @escaping () -> Void) throws(Errno) {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setstacksize(&attributes, stackBytes)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let box = unsafe Unmanaged.passRetained(Body(body))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread, &attributes,
            { pointer in
                if let pointer = unsafe pointer {
                    unsafe Unmanaged<Body>.fromOpaque(pointer).takeRetainedValue().run()
                }
                return nil
            }, box.toOpaque())
        if status != 0 {
            unsafe box.release()
            throw Errno(rawValue: status)
        }
    }

    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }
}

/// Runs `count` pieces of work on `threads` threads of our own and returns when all are done.
///
/// A piece that throws stops the start of further pieces; the first error is thrown.
public func concurrently<Failure: Error>(
    count: Int, threads: Int, failure: Failure.Type = Failure.self,
    _ body: @escaping @Sendable (Int) throws(Failure) -> Void
) throws(Failure) {
    let workers = max(1, min(threads, count))
    let monitor = Monitor(SharedWork<Failure>(running: workers))
    let work: @Sendable () -> Void = {
        while let index = monitor.withLock({ state -> Int? in
            guard state.next < count, state.failure == nil else { return nil }
            defer { state.next += 1 }
            return state.next
        }) {
            do throws(Failure) {
                try body(index)
            } catch {
                monitor.withLock { $0.failure = $0.failure ?? error }
            }
        }
        monitor.withLock { $0.running -= 1 }
    }
    for _ in 1..<max(workers, 1) {
        // A thread that cannot be had leaves its share to the others.
        do { try WorkThread.start(work) } catch { monitor.withLock { $0.running -= 1 } }
    }
    work()
    _ = monitor.wait { $0.running == 0 ? true : nil }
    if let error = monitor.withLock({ $0.failure }) { throw error }
}

/// What the threads of `concurrently` share.
private struct SharedWork<Failure: Error> {
    var next = 0
    var running: Int
    var failure: Failure?
}
