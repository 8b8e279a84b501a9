// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// The qubes whose jobs hold, each for as long as somebody is at work inside of it. Pure.
struct JobHolds: Sendable {
    /// What a hold is known by.
    struct Number: Hashable, Sendable {
        fileprivate let value: UInt64
    }

    private struct Hold {
        let number: Number
        let caller: String
        let qube: String
        /// It counts no longer than until then.
        let end: ContinuousClock.Instant
    }

    /// The oldest first.
    private var holds: [Hold] = []
    private var last: UInt64 = 0

    /// One more, for a caller that has not as many as it may have.
    mutating func add(
        _ qube: String, for caller: String, _ bounds: Bounds,
        at now: ContinuousClock.Instant
    ) throws(Refusal) -> Number {
        guard holds.count(where: { $0.caller == caller }) < bounds.holdsPerCaller else {
            throw Refusal(
                .busy,
                "\(bounds.holdsPerCaller) qubes are held by this caller already, which is the most;"
                    + " try again when one of these calls is over.")
        }
        last += 1
        let number = Number(value: last)
        holds.append(
            Hold(
                number: number, caller: caller, qube: qube,
                end: now + .seconds(bounds.holdSeconds)))
        return number
    }

    /// It is over; nothing happens where it was before.
    mutating func remove(_ number: Number) { holds.removeAll { $0.number == number } }

    /// It still counts.
    func has(_ number: Number, at now: ContinuousClock.Instant) -> Bool {
        holds.contains { $0.number == number && now < $0.end }
    }

    /// Of these qubes, one that is held.
    func qube(among qubes: Set<String>, at now: ContinuousClock.Instant) -> String? {
        holds.first { now < $0.end && qubes.contains($0.qube) }?.qube
    }
}
