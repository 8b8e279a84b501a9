// SPDX-License-Identifier: GPL-2.0-or-later

/// How long a job may work: then it begins nothing new, and says what is left.
public struct TimeLimit: Equatable, Sendable {
    /// What may be asked for, in seconds: up to seven days.
    public static let seconds = 1...7 * 24 * 3600

    /// Seconds by the clock on the wall: while the job is held, or the machine sleeps, they go by.
    public var forSeconds: Int
    /// They count from the call, whatever the job waits for its turn: somebody has named a moment.
    /// Else from the moment in which the job begins.
    public var waitCounts: Bool

    /// Makes a limit.
    public init(forSeconds: Int, waitCounts: Bool = false) {
        self.forSeconds = forSeconds
        self.waitCounts = waitCounts
    }
}

/// A request of a job that may be given a time.
public protocol TimedRequest: StrictRequest {
    /// What the job may take; nil is as long as it needs.
    var time: TimeLimit? { get set }
}

extension KeyedDecodingContainer {
    /// A limit within its bounds; nil where none is asked for.
    func timeLimit(_ seconds: Key, _ waitCounts: Key) throws -> TimeLimit? {
        let counts = try decodeIfPresent(Bool.self, forKey: waitCounts)
        guard let number = try decodeIfPresent(Int.self, forKey: seconds) else {
            // It would be taken for a limit that there is not.
            if counts != nil {
                throw RequestError.outOfRange(
                    key: waitCounts.stringValue, allowed: "only beside \(seconds.stringValue)")
            }
            return nil
        }
        guard TimeLimit.seconds.contains(number) else {
            throw RequestError.outOfRange(
                key: seconds.stringValue,
                allowed: "\(TimeLimit.seconds.lowerBound) to \(TimeLimit.seconds.upperBound)")
        }
        return TimeLimit(forSeconds: number, waitCounts: counts ?? false)
    }
}

extension KeyedEncodingContainer {
    /// Leaves out what is not asked for: a daemon of an older release may not know it.
    mutating func encode(_ limit: TimeLimit?, _ seconds: Key, _ waitCounts: Key) throws {
        guard let limit else { return }
        try encode(limit.forSeconds, forKey: seconds)
        if limit.waitCounts { try encode(true, forKey: waitCounts) }
    }
}

/// What a job whose time was over has left to the next one.
public struct JobRemainder: Codable, Equatable, Sendable {
    /// The time that it was given, in seconds.
    public var forSeconds: Int
    /// What the extents took on disk that were to be worked on, in bytes. 0 where the time was over
    /// before that was known.
    public var plannedBytes: UInt64
    /// Of `plannedBytes`, what it has not come to.
    public var leftBytes: UInt64
    /// The content of these, unpacked, in bytes.
    public var leftContentBytes: UInt64
    /// What the plan predicts that the rest saves, in bytes; nil where only doing it tells.
    public var predictedBytes: UInt64?
    /// How long the rest takes about, at the rate of this job, in seconds; nil where nothing tells.
    public var restSeconds: Double?
    /// File systems of which no more is known than what `knownBytes` says: nothing was moved
    /// there. nil where there are none.
    public var unplannedFileSystems: Int?
    /// Of `toKnowBytes`, the content whose checksums were read by then; nil where that had not
    /// begun.
    public var knownBytes: UInt64?
    /// The content on these whose checksums have to be known before anything is moved.
    public var toKnowBytes: UInt64?

    /// Makes a remainder; nothing is left of a plan yet.
    public init(
        forSeconds: Int, plannedBytes: UInt64 = 0, leftBytes: UInt64 = 0,
        leftContentBytes: UInt64 = 0, predictedBytes: UInt64? = nil, restSeconds: Double? = nil,
        unplannedFileSystems: Int? = nil
    ) {
        self.forSeconds = forSeconds
        self.plannedBytes = plannedBytes
        self.leftBytes = leftBytes
        self.leftContentBytes = leftContentBytes
        self.predictedBytes = predictedBytes
        self.restSeconds = restSeconds
        self.unplannedFileSystems = unplannedFileSystems
    }
}
