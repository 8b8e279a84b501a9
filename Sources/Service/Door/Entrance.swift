// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls

/// Shares out the places of connections, so that nobody can take those of another. A place is a
/// `Ticket`: a stranger's until the connection has said who calls, then that caller's own.
final class Entrance: Sendable {
    /// Whose places they are.
    fileprivate enum Holder: Sendable {
        /// Nobody knows who calls: qrexec connects before the qube has said anything.
        case stranger(UInt64)
        case dom0
        case qube(String)
        /// It was told to go, and is given the time to read so.
        case leaving
    }

    private struct Stranger {
        let number: UInt64
        /// Who made the connection, as far as can be told.
        let origin: Int
        /// Ends its connection.
        let cut: @Sendable () -> Void
    }

    private struct State {
        /// The oldest first.
        var strangers: [Stranger] = []
        var lastNumber: UInt64 = 0
        var ofDom0 = 0
        var byQube: [String: Int] = [:]
        var leaving = 0
    }

    private let bounds: Bounds
    private let state = Monitor(State())

    init(bounds: Bounds) { self.bounds = bounds }

    /// Nobody who has said who calls is being answered.
    var isEmpty: Bool { state.withLock { $0.ofDom0 == 0 && $0.byQube.isEmpty } }

    /// A place for a connection that has not said who calls. When all are taken another goes: the
    /// oldest of the origin that has most of them, so that whoever floods pushes out itself.
    /// - Parameters:
    ///   - origin: the same number for connections that were made by the same program.
    ///   - cut: ends the connection, from another thread.
    func admitStranger(origin: Int, cut: @escaping @Sendable () -> Void) -> Ticket {
        let (number, displaced) = state.withLock { state -> (UInt64, Stranger?) in
            state.lastNumber += 1
            let number = state.lastNumber
            var displaced: Stranger?
            if state.strangers.count >= max(1, bounds.strangers) {
                let sizes = Dictionary(grouping: state.strangers, by: \.origin).mapValues(\.count)
                let most = sizes.values.max() ?? 0
                if let place = state.strangers.firstIndex(where: { sizes[$0.origin] == most }) {
                    displaced = state.strangers.remove(at: place)
                }
            }
            state.strangers.append(Stranger(number: number, origin: origin, cut: cut))
            return (number, displaced)
        }
        displaced?.cut()
        return Ticket(.stranger(number), self)
    }

    /// One of a caller's own places.
    func admit(_ caller: String) throws(Refusal) -> Ticket {
        let outcome = state.withLock { state -> Result<Ticket, Refusal> in
            if caller == QubeName.machine {
                guard state.ofDom0 < bounds.connectionsOfDom0 else {
                    return .failure(Self.busy("Too many calls of dom0 are being answered"))
                }
                state.ofDom0 += 1
                return .success(Ticket(.dom0, self))
            }
            let taken = state.byQube[caller, default: 0]
            guard taken < bounds.connectionsPerCaller else {
                return .failure(
                    Self.busy(
                        "\(bounds.connectionsPerCaller) calls of this qube are being answered"))
            }
            // As many qubes as hold a connection: no more than there are connections.
            guard state.byQube.values.reduce(0, +) < bounds.connectionsOfQubes else {
                return .failure(Self.busy("Too many calls are being answered"))
            }
            state.byQube[caller] = taken + 1
            return .success(Ticket(.qube(caller), self))
        }
        return try outcome.get()
    }

    /// A place for a connection that is to read why it was refused; nil when those are taken.
    func admitToLeave() -> Ticket? {
        state.withLock { state in
            guard state.leaving < bounds.refusedConnections else { return nil }
            state.leaving += 1
            return Ticket(.leaving, self)
        }
    }

    /// - Returns: false when the place was not the holder's any more.
    fileprivate func giveBack(_ holder: Holder) -> Bool {
        state.withLock { state in
            switch holder {
            case .stranger(let number):
                guard let place = state.strangers.firstIndex(where: { $0.number == number })
                else { return false }
                state.strangers.remove(at: place)
            case .dom0: state.ofDom0 -= 1
            case .leaving: state.leaving -= 1
            case .qube(let name):
                let left = state.byQube[name, default: 0] - 1
                state.byQube[name] = left > 0 ? left : nil
            }
            return true
        }
    }

    private static func busy(_ what: String) -> Refusal {
        Refusal(.busy, "\(what); try again in a minute.")
    }

    /// There is no place for a connection that says nothing.
    static let displaced = busy("Too many connections are waiting to say who calls")
}

/// A place that is held. It is given back once, at the latest when nobody holds the ticket.
final class Ticket: Sendable {
    private let holder: Entrance.Holder
    private let entrance: Entrance
    private let isHeld = Monitor(true)

    fileprivate init(_ holder: Entrance.Holder, _ entrance: Entrance) {
        self.holder = holder
        self.entrance = entrance
    }

    deinit { giveBack() }

    /// Gives the place back.
    /// - Returns: false when it had been given to another meanwhile.
    @discardableResult
    func giveBack() -> Bool {
        let wasHeld = isHeld.withLock { isHeld in
            defer { isHeld = false }
            return isHeld
        }
        return wasHeld ? entrance.giveBack(holder) : true
    }
}
