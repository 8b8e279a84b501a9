// SPDX-License-Identifier: GPL-2.0-or-later

/// How hard a job works at this moment, and why not harder.
public struct Pacing: Codable, Equatable, Sendable {
    /// How hard.
    public enum State: Word {
        /// As fast as it can.
        case full
        /// A part of the time.
        case slowed
        /// Not at all until the reason is gone.
        case held
        /// Of a later release.
        case unknown(String)

        /// Those that this release knows.
        public static let allCases: [Self] = [
            .full, .slowed, .held,
        ]

        /// As it is written.
        public var rawValue: String {
            switch self {
            case .full: "full"
            case .slowed: "slowed"
            case .held: "held"
            case .unknown(let word): word
            }
        }
    }

    /// Why it is not `full`.
    public enum Reason: Word {
        /// Somebody asked for a pause; `btrfs.job.Resume` ends it.
        case pause
        /// The file system stands still: it is frozen, or its device does not answer. Nothing can
        /// be begun or ended until it moves again.
        case standstill
        /// Another job goes before it; it goes on by itself afterwards.
        case turn
        /// A qube that it is about is being trimmed (`btrfs.job.Hold`); it goes on by itself
        /// afterwards.
        case trim
        /// Too little unallocated or metadata space is left.
        case space
        /// Btrfs itself is at work on the file system: a balance, or devices that come or go.
        case operation
        /// The machine runs on battery.
        case battery
        /// Others wait for the disk.
        case disk
        /// Of a later release.
        case unknown(String)

        /// Those that this release knows.
        public static let allCases: [Self] = [
            .pause, .standstill, .turn, .trim, .space, .operation, .battery, .disk,
        ]

        /// As it is written.
        public var rawValue: String {
            switch self {
            case .pause: "pause"
            case .standstill: "standstill"
            case .turn: "turn"
            case .trim: "trim"
            case .space: "space"
            case .operation: "operation"
            case .battery: "battery"
            case .disk: "disk"
            case .unknown(let word): word
            }
        }
    }

    /// How hard.
    public var state: State
    /// Why not harder; nil when it is `full`.
    public var reason: Reason?
    /// Of the job's time so far, the part in which it was held back, 0 to 1.
    public var heldShare: Double
    /// Of the last second, the part in which others waited for the disk, 0 to 1; nil where the
    /// kernel does not say.
    public var othersWaitShare: Double?
    /// What is missing and what to do, or who is waited for, as a part of a sentence. Nil where
    /// the reason says it all.
    public var advice: String?
    /// When the job came to be held for this reason, in seconds since 1970; nil when it is
    /// not held.
    public var heldAt: Int64?
    /// The qube that is being trimmed, where that is the reason; nil for who does not see it.
    public var qube: String?

    /// Makes pacing.
    public init(
        state: State, reason: Reason? = nil, heldShare: Double = 0,
        othersWaitShare: Double? = nil, advice: String? = nil, heldAt: Int64? = nil,
        qube: String? = nil
    ) {
        self.state = state
        self.reason = reason
        self.heldShare = heldShare
        self.othersWaitShare = othersWaitShare
        self.advice = advice
        self.heldAt = heldAt
        self.qube = qube
    }
}
