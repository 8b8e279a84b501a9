// SPDX-License-Identifier: GPL-2.0-or-later
public import SystemPackage

/// A thread that keeps the weight of whoever starts it, for short calls that others must not find
/// under way for long: made before its process steps back on the CPU.
///
/// On a busy machine a thread of the least weight is not run for a tenth of a second and more in
/// the middle of a call to the kernel, with all that the kernel holds for it.
public final class ForegroundThread: Sendable {
    private struct State {
        var calls: [@Sendable () -> Void] = []
        var isOver = false
    }

    private let state = Monitor(State())

    /// Starts it; it ends when nobody holds this any more.
    public init() throws(Errno) {
        try WorkThread.start { [state] in
            while let calls = state.wait(until: Self.next), !calls.isEmpty {
                for call in calls { call() }
            }
        }
    }

    deinit { state.withLock { $0.isOver = true } }

    /// What is to be done; nothing at all when it is over, nil to wait.
    private static func next(_ state: inout State) -> [@Sendable () -> Void]? {
        if state.calls.isEmpty && !state.isOver { return nil }
        defer { state.calls = [] }
        return state.calls
    }

    /// Has the thread make a call, behind those that came before, and waits for what it gives.
    public func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) -> Result {
        let result = Monitor<Result?>(nil)
        state.withLock {
            $0.calls.append {
                let made = body()
                result.withLock { $0 = made }
            }
        }
        while true {
            if let made = result.wait(until: { $0 }) { return made }
        }
    }
}
