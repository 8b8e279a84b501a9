// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// What is known of the world around a job.
struct Surroundings: Equatable, Sendable {
    /// Somebody asked for a pause.
    var isPaused = false
    /// The machine runs on battery, and the order does not say that this is fine.
    var isOnBattery = false
    /// Why there is too little space; nil when there is enough.
    var spaceAdvice: String?
    /// What Btrfs itself does with the file system; nil when it does nothing of that kind.
    var operation: String?
    /// Why nothing can be done on the file system; nil while it moves.
    var standstill: Standstill?
    /// Of the last second, the part in which others waited for the disk; nil where it is not known.
    var othersWaitShare: Double?

    /// What is said besides of a reason to hold.
    func advice(_ reason: Pacing.Reason?) -> String? {
        switch reason {
        case .standstill: standstill?.advice
        case .space: spaceAdvice
        case .operation: operation
        default: nil
        }
    }
}

/// How hard to work. Pure.
struct Pace: Equatable, Sendable {
    var state: Pacing.State
    var reason: Pacing.Reason?
    /// The part of the time in which work may be begun, 0 to 1.
    var workShare: Double

    static let full = Pace(state: .full, reason: nil, workShare: 1)

    /// Others waiting for less of their time than this is the normal noise of a machine.
    static let slowAbove = 0.10
    /// A job that was slowed is let go again below this: it does not swing to and fro at one limit.
    static let fullBelow = 0.05
    /// From here on others need the disk for themselves.
    static let heldAbove = 0.50
    /// What is left to a job even then, so that it ends some day on a machine that is never idle.
    static let leastShare = 1.0 / 32

    /// What to do now, by the strongest reason.
    static func decide(_ now: Surroundings, after last: Pace) -> Pace {
        // Before a pause, which no word can end meanwhile, and no grace is counted in.
        if now.standstill != nil { return Pace(state: .held, reason: .standstill, workShare: 0) }
        if now.isPaused { return Pace(state: .held, reason: .pause, workShare: 0) }
        if now.spaceAdvice != nil { return Pace(state: .held, reason: .space, workShare: 0) }
        if now.operation != nil { return Pace(state: .held, reason: .operation, workShare: 0) }
        if now.isOnBattery { return Pace(state: .held, reason: .battery, workShare: 0) }
        guard let share = now.othersWaitShare else { return .full }
        let limit = last.reason == .disk ? fullBelow : slowAbove
        if share < limit { return .full }
        if share >= heldAbove { return Pace(state: .held, reason: .disk, workShare: leastShare) }
        // From a half of the time down to the least, as others wait more.
        let part = max(0, share - slowAbove) / (heldAbove - slowAbove)
        let workShare = 0.5 - part * (0.5 - leastShare)
        return Pace(state: .slowed, reason: .disk, workShare: workShare)
    }
}

/// Cuts time into pieces in which work may be begun, and pieces in which it may not. Pure: the
/// caller tells the time, in seconds.
struct WorkSlots: Equatable, Sendable {
    /// A piece of work, and how often the world is looked at.
    static let slotSeconds = 0.25

    private(set) var isOpen = true
    private var since = 0.0

    /// - Returns: whether work may be begun from now on.
    mutating func update(_ pace: Pace, nowSeconds: Double) -> Bool {
        let elapsed = nowSeconds - since
        let shall: Bool
        if pace.workShare >= 1 {
            shall = true
        } else if pace.workShare <= 0 {
            shall = false
        } else if isOpen {
            shall = elapsed < Self.slotSeconds
        } else {
            shall = elapsed >= Self.slotSeconds * (1 / pace.workShare - 1)
        }
        if shall != isOpen || pace.workShare >= 1 {
            isOpen = shall
            since = nowSeconds
        }
        return isOpen
    }
}
