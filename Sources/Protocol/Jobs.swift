// SPDX-License-Identifier: GPL-2.0-or-later

/// The reply of a call that starts a job.
public struct JobAccepted: Codable, Equatable, Sendable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// The job's id: 20 hexadecimal digits that nobody can guess.
    public var job: String

    /// Makes the reply.
    public init(job: String) {
        version = .current
        self.job = job
    }
}

/// Where a job stands.
public enum JobState: Word {
    /// Waits for the job before it.
    case queued
    /// A worker is at it.
    case running
    /// It waits for `btrfs.job.Resume`, in the queue or with its worker.
    case paused
    /// It did all it could.
    case done
    /// It ended with an error; what was finished stays done.
    case failed
    /// Its worker or the daemon died; what was finished stays done, and it can be started again.
    case interrupted
    /// Somebody cancelled it; what was finished stays done, and the result says what that brought.
    case cancelled
    /// Of a later release.
    case unknown(String)

    /// Those that this release knows.
    public static let allCases: [Self] = [
        .queued, .running, .paused, .done, .failed, .interrupted, .cancelled,
    ]

    /// As it is written.
    public var rawValue: String {
        switch self {
        case .queued: "queued"
        case .running: "running"
        case .paused: "paused"
        case .done: "done"
        case .failed: "failed"
        case .interrupted: "interrupted"
        case .cancelled: "cancelled"
        case .unknown(let word): word
        }
    }

    /// No more events will come, as far as the state tells: see `JobRecord.isOver`.
    fileprivate var isOver: Bool {
        switch self {
        case .done, .failed, .interrupted, .cancelled: true
        case .queued, .running, .paused, .unknown: false
        }
    }
}

/// One job, as `btrfs.job.List` and the end of `btrfs.job.Watch` give it.
public struct JobRecord: Codable, Equatable, Sendable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// The job's id.
    public var job: String
    /// What it does.
    public var operation: Operation
    /// Who asked.
    public var caller: String
    /// The qube, or `dom0` for the machine.
    public var target: String
    /// The volume, or empty for all.
    public var argument: String
    /// Qubes that were left out by their names; nil where none were.
    public var exclude: [String]?
    /// Where it stands.
    public var state: JobState
    /// Seconds since 1970.
    public var submittedAt: Int64
    /// Seconds since 1970.
    public var startedAt: Int64?
    /// Seconds since 1970.
    public var endedAt: Int64?
    /// How far it is.
    public var progress: JobProgress?
    /// What it brought, when it is over.
    public var result: JobResult?
    /// What went wrong, when it failed.
    public var error: String?
    /// The id of the job that the service's end had interrupted and that goes on with this one; nil
    /// for one that was asked for.
    public var continues: String?
    /// Somebody has cancelled it, and it has not ended yet; nil is no.
    public var cancelling: Bool?

    /// No more events will come. Of a state that this release does not know, the end's moment
    /// tells.
    public var isOver: Bool { state.isOver || (state.isUnknown && endedAt != nil) }

    /// Makes a record of a new job.
    public init(
        job: String, operation: Operation, caller: String, target: String, argument: String,
        exclude: [String]? = nil, submittedAt: Int64
    ) {
        self.exclude = exclude
        version = .current
        self.job = job
        self.operation = operation
        self.caller = caller
        self.target = target
        self.argument = argument
        self.submittedAt = submittedAt
        state = .queued
    }
}

/// The reply of `btrfs.job.List`, newest first.
public struct JobList: Codable, Equatable, Sendable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// The jobs that the caller may see.
    public var jobs: [JobRecord]

    /// Makes a list.
    public init(jobs: [JobRecord]) {
        version = .current
        self.jobs = jobs
    }
}

/// How far a job is.
public struct JobProgress: Codable, Equatable, Sendable {
    /// What the worker is at.
    public enum Stage: Word {
        case survey, fingerprint, match, plan, sample, compare, execute, account
        /// Of a later release.
        case unknown(String)

        /// Those that this release knows.
        public static let allCases: [Self] = [
            .survey, .fingerprint, .match, .plan, .sample, .compare, .execute, .account,
        ]

        /// As it is written.
        public var rawValue: String {
            switch self {
            case .survey: "survey"
            case .fingerprint: "fingerprint"
            case .match: "match"
            case .plan: "plan"
            case .sample: "sample"
            case .compare: "compare"
            case .execute: "execute"
            case .account: "account"
            case .unknown(let word): word
            }
        }
    }

    /// The stage.
    public var stage: Stage
    /// Of `totalBytes`, what is done.
    public var doneBytes: UInt64
    /// What this stage has to go through; 0 where that is not known.
    public var totalBytes: UInt64
    /// What has been saved so far, by the plan's count; the result gives the file system's.
    public var savedBytes: UInt64
    /// Seconds since the job started.
    public var elapsedSeconds: Double
    /// How hard it works; nil from a worker that does not say.
    public var pacing: Pacing?
    /// When it will begin nothing new any more, in seconds from now; nil where it was given no
    /// limit.
    public var stopsInSeconds: Double?

    /// Makes progress.
    public init(
        stage: Stage, doneBytes: UInt64, totalBytes: UInt64, savedBytes: UInt64,
        elapsedSeconds: Double, pacing: Pacing? = nil, stopsInSeconds: Double? = nil
    ) {
        self.stopsInSeconds = stopsInSeconds
        self.stage = stage
        self.doneBytes = doneBytes
        self.totalBytes = totalBytes
        self.savedBytes = savedBytes
        self.elapsedSeconds = elapsedSeconds
        self.pacing = pacing
    }
}

/// What a job brought, by the file system's own count after a sync.
public struct JobResult: Codable, Equatable, Sendable {
    /// Extents, or files, that were left alone for one reason.
    public struct LeftAlone: Codable, Equatable, Sendable {
        /// The reason, in a few words.
        public var reason: String
        /// How many.
        public var count: UInt64
        /// What they take on disk, in bytes.
        public var diskBytes: UInt64
        /// The most references that one of them has, where that is the reason.
        public var references: UInt64?

        /// Makes a line.
        public init(
            reason: String, count: UInt64, diskBytes: UInt64, references: UInt64? = nil
        ) {
            self.references = references
            self.reason = reason
            self.count = count
            self.diskBytes = diskBytes
        }
    }

    /// The file systems before, one for each pool's.
    public var before: [FileSystemUsage]
    /// The same after.
    public var after: [FileSystemUsage]
    /// Extents looked at.
    public var extentsSeen: UInt64
    /// Extents whose every reference was re-pointed.
    public var extentsReplaced: UInt64
    /// References re-pointed.
    public var referencesMoved: UInt64
    /// What the plan predicted to save, in bytes; nil where only doing it tells.
    public var predictedBytes: UInt64?
    /// What was left alone, and why.
    public var leftAlone: [LeftAlone]
    /// Files that were named and left: NOCOW, gone meanwhile, unreadable.
    public var problems: [Report.Problem]
    /// How long it took, in seconds.
    public var elapsedSeconds: Double
    /// In how many pieces the images lay before and after; nil where nobody looked.
    public var pieces: JobPieces?
    /// What an estimate has found out; nil for every other job.
    public var estimate: Estimate?
    /// What a verification has found; nil for every other job.
    public var verification: Verification?
    /// What an estimate of the same had said before this job; nil where there was none.
    public var estimatedBefore: EstimatedBefore?
    /// What the disk did not give back, the first `Limits.namedItems` places; nil where it gave
    /// all that the job has read.
    public var unreadable: [UnreadablePlace]?
    /// How many places there are, those that are not listed among them; nil where there are none.
    public var unreadableCount: UInt64?
    /// The devices that the kernel has counted errors of while the job ran; nil where there are
    /// none. Errors without an unreadable place were mended from another copy (RAID1, DUP).
    public var deviceErrors: [DeviceErrorCounts]?

    /// What the job has counted itself; nil from a worker that does not say.
    public var own: JobCount?
    /// What its time did not suffice for; nil where it came to its end.
    public var left: JobRemainder?
    /// There was too little room for some of it, on a file system or by a quota; else nil.
    public var lacksRoom: Bool?

    /// Makes a result.
    public init(
        before: [FileSystemUsage], after: [FileSystemUsage], extentsSeen: UInt64,
        extentsReplaced: UInt64, referencesMoved: UInt64, predictedBytes: UInt64?,
        leftAlone: [LeftAlone], problems: [Report.Problem], elapsedSeconds: Double,
        estimate: Estimate? = nil, estimatedBefore: EstimatedBefore? = nil,
        pieces: JobPieces? = nil, own: JobCount? = nil
    ) {
        self.own = own
        self.pieces = pieces
        self.before = before
        self.after = after
        self.extentsSeen = extentsSeen
        self.extentsReplaced = extentsReplaced
        self.referencesMoved = referencesMoved
        self.predictedBytes = predictedBytes
        self.leftAlone = leftAlone
        self.problems = problems
        self.elapsedSeconds = elapsedSeconds
        self.estimate = estimate
        self.estimatedBefore = estimatedBefore
    }
}

/// In how many pieces the images of a job lie on the device: each file counted for itself, a piece
/// being what can be read at one go.
public struct JobPieces: Codable, Equatable, Sendable {
    /// What the images map, holes left out, in bytes.
    public var dataBytes: UInt64
    /// Pieces before.
    public var before: UInt64
    /// Pieces after.
    public var after: UInt64

    /// Makes figures.
    public init(dataBytes: UInt64, before: UInt64, after: UInt64) {
        self.dataBytes = dataBytes
        self.before = before
        self.after = after
    }

    /// Pieces in a GiB of data, before and after; 0 where there is no data.
    public var inGibibyte: (before: Double, after: Double) {
        let gibibytes = Double(dataBytes) / Double(1 << 30)
        return gibibytes > 0 ? (Double(before) / gibibytes, Double(after) / gibibytes) : (0, 0)
    }
}

/// The names of the events of `btrfs.job.Watch`. Each has one field, `json`.
public enum JobEventName: String, Sendable, CaseIterable {
    /// The whole `JobRecord`, first of all and at each change of state.
    case state = "job-state"
    /// A `JobProgress`.
    case progress = "job-progress"
    /// Nothing new; the field holds `{}`.
    case heartbeat
}
