// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls

/// Counts connections, in all and by caller.
final class Places: Sendable {
    private struct Counts {
        var all = 0
        var refused = 0
        var byCaller: [String: Int] = [:]
    }

    private let bounds: Bounds
    private let counts = Monitor(Counts())

    init(bounds: Bounds) { self.bounds = bounds }

    /// Takes a place for a connection, whoever calls.
    /// - Returns: false when all are taken.
    func take() -> Bool {
        counts.withLock { counts in
            guard counts.all < bounds.connections else { return false }
            counts.all += 1
            return true
        }
    }

    /// Gives it back.
    func leave() { counts.withLock { $0.all -= 1 } }

    /// Takes a place for a connection that is told that there is no other.
    /// - Returns: false when those are taken, too.
    func takeToRefuse() -> Bool {
        counts.withLock { counts in
            guard counts.refused < bounds.refusedConnections else { return false }
            counts.refused += 1
            return true
        }
    }

    /// Gives it back.
    func leaveRefused() { counts.withLock { $0.refused -= 1 } }

    /// Takes one of a caller's places.
    /// - Returns: false when it has all that it may have.
    func take(_ caller: String) -> Bool {
        if caller == Names.machine { return true }
        return counts.withLock { counts in
            let taken = counts.byCaller[caller, default: 0]
            guard taken < bounds.connectionsPerCaller else { return false }
            counts.byCaller[caller] = taken + 1
            return true
        }
    }

    /// Gives it back.
    func leave(_ caller: String) {
        if caller == Names.machine { return }
        counts.withLock { counts in
            let left = counts.byCaller[caller, default: 0] - 1
            counts.byCaller[caller] = left > 0 ? left : nil
        }
    }
}
