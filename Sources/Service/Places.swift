// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
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
    func take() -> Bool { counts.withLock { Self.take(&$0.all, of: bounds.connections) } }

    /// Gives it back.
    func leave() { counts.withLock { $0.all -= 1 } }

    /// Takes a place for a connection that is told that there is no other.
    /// - Returns: false when those are taken, too.
    func takeToRefuse() -> Bool {
        counts.withLock { Self.take(&$0.refused, of: bounds.refusedConnections) }
    }

    /// Gives it back.
    func leaveRefused() { counts.withLock { $0.refused -= 1 } }

    /// Takes one of a caller's places.
    func take(_ caller: String) throws(Refusal) {
        if caller == Names.machine { return }
        let objection = counts.withLock { counts -> Refusal? in
            let taken = counts.byCaller[caller, default: 0]
            if taken >= bounds.connectionsPerCaller {
                return Self.busy(
                    "\(bounds.connectionsPerCaller) calls of this qube are being answered")
            }
            // As many qubes as hold a connection: no more than there are connections.
            let ofQubes = counts.byCaller.values.reduce(0, +)
            if ofQubes >= bounds.connectionsOfQubes { return Self.allTaken }
            counts.byCaller[caller] = taken + 1
            return nil
        }
        if let objection { throw objection }
    }

    /// Gives it back.
    func leave(_ caller: String) {
        if caller == Names.machine { return }
        counts.withLock { counts in
            let left = counts.byCaller[caller, default: 0] - 1
            counts.byCaller[caller] = left > 0 ? left : nil
        }
    }

    /// There is no place for anybody.
    static let allTaken = busy("Too many calls are being answered")

    private static func busy(_ what: String) -> Refusal {
        Refusal(.busy, "\(what); try again in a minute.")
    }

    private static func take(_ count: inout Int, of most: Int) -> Bool {
        guard count < most else { return false }
        count += 1
        return true
    }
}
