// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc

/// State behind a lock, with a condition to wait for: the one lock that there is here.
/// `Synchronization.Mutex` has no such part, and the thread sanitizer does not see it lock: it
/// knows pthreads.
///
/// For threads of our own only; waiting in a task would hold a thread of Swift's pool.
/// Sendable unchecked: `state` is touched only between lock and unlock of `mutex`, and both C
/// objects stand at one address from init to deinit.
@safe public final class Monitor<State>: @unchecked Sendable {
    private var state: State
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    /// With a first state.
    public init(_ state: consuming sending State) {
        self.state = state
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(condition, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Reads or changes the state and wakes everyone who waits.
    public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_cond_broadcast(condition)
            unsafe pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Waits until `body` gives something other than nil, and takes that.
    /// - Returns: nil when `timeoutSeconds` went by first.
    public func wait<Result>(
        timeoutSeconds: Double = .infinity, until body: (inout State) -> Result?
    ) -> Result? {
        unsafe pthread_mutex_lock(mutex)
        defer {
            unsafe pthread_cond_broadcast(condition)
            unsafe pthread_mutex_unlock(mutex)
        }
        var deadline = timespec()
        if timeoutSeconds.isFinite {
            unsafe clock_gettime(CLOCK_MONOTONIC, &deadline)
            let whole = timeoutSeconds.rounded(.down)
            deadline.tv_sec += Int(whole)
            deadline.tv_nsec += Int((timeoutSeconds - whole) * 1_000_000_000)
            if deadline.tv_nsec >= 1_000_000_000 {
                deadline.tv_sec += 1
                deadline.tv_nsec -= 1_000_000_000
            }
        }
        while true {
            if let result = body(&state) { return result }
            if timeoutSeconds.isFinite {
                let status = unsafe pthread_cond_timedwait(condition, mutex, &deadline)
                if status == ETIMEDOUT { return body(&state) }
            } else {
                unsafe pthread_cond_wait(condition, mutex)
            }
        }
    }
}
