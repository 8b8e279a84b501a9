// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls

/// What Ctrl-C reaches: it ends the call that waits, so that whoever waits for it can say goodbye.
final class Interruption: Sendable {
    private struct State {
        var isInterrupted = false
        /// How many things are under way that must not be left as they are.
        var holds = 0
        var cancel: (@Sendable () -> Void)?
    }

    private let state = Monitor(State())

    /// A signal has come.
    var isInterrupted: Bool { state.withLock { $0.isInterrupted } }

    /// Takes a signal, on any thread.
    /// - Returns: whether it was the first one, or one that has to wait for what is under way.
    func interrupt() -> Bool {
        let (isFirst, cancel) = state.withLock { state in
            defer { state.isInterrupted = true }
            return (!state.isInterrupted || state.holds > 0, state.cancel)
        }
        cancel?()
        return isFirst
    }

    /// The last signal is answered: the next one is a first one again.
    func clear() { state.withLock { $0.isInterrupted = false } }

    /// From here until `release` no signal, however many come, ends the program by itself.
    func hold() { state.withLock { $0.holds += 1 } }

    /// What was under way is over.
    func release() { state.withLock { $0.holds -= 1 } }

    /// Runs `body`; a signal calls `cancel`, once, from another thread or at once when it has come
    /// already.
    func cancelling<Result, Failure: Error>(
        _ cancel: @escaping @Sendable () -> Void, while body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let isLate = state.withLock { state in
            state.cancel = cancel
            return state.isInterrupted
        }
        if isLate { cancel() }
        defer { state.withLock { $0.cancel = nil } }
        return try body()
    }
}
