// SPDX-License-Identifier: GPL-2.0-or-later

/// The qrexec services, by the names that policy files use.
public enum ServiceName: String, Codable, Sendable, CaseIterable {
    /// What a qube, or the machine, takes on disk.
    case report = "btrfs.Report"
    /// What compression and dedupe would save; changes nothing.
    case estimate = "btrfs.Estimate"
    /// Whether images hold what they held; changes nothing.
    case verify = "btrfs.Verify"
    /// Whether the machine and its images are fit.
    case check = "btrfs.Check"
    /// Compress and keep sharing.
    case compress = "btrfs.Compress"
    /// Share equal data within the dedupe group.
    case dedupe = "btrfs.Dedupe"
    /// Share equal data and compress what is left, in one pass.
    case optimize = "btrfs.Optimize"
    /// Fewer and larger extents, and keep sharing.
    case defragment = "btrfs.Defragment"
    /// Holes where zeroes were written, and where nothing ever was.
    case sparsify = "btrfs.Sparsify"
    /// Whether what is written from now on is compressed; sets what new images inherit.
    case newData = "btrfs.NewData"
    /// The queue and the history.
    case jobList = "btrfs.job.List"
    /// A job's events as they come, then its result.
    case jobWatch = "btrfs.job.Watch"
    /// End a job; what it has finished stays done.
    case jobCancel = "btrfs.job.Cancel"
    /// Hold a job until it is resumed.
    case jobPause = "btrfs.job.Pause"
    /// Let a paused job go on.
    case jobResume = "btrfs.job.Resume"
    /// Have the jobs on a qube hold for as long as the caller is there.
    case jobHold = "btrfs.job.Hold"
}

/// What a job does.
public enum Operation: Word {
    /// Say what compression and dedupe would save; change nothing.
    case estimate
    /// Compare images with digests that were taken of them before; change nothing.
    case verify
    /// Compress and keep sharing.
    case compress
    /// Share equal data within the dedupe group.
    case dedupe
    /// Share equal data and compress what is left, in one pass.
    case optimize
    /// Fewer and larger extents, and keep sharing.
    case defragment
    /// Holes where zeroes were written, and where nothing ever was.
    case sparsify
    /// Of a later release.
    case unknown(String)

    /// Those that this release knows.
    public static let allCases: [Self] = [
        .estimate, .verify, .compress, .dedupe, .optimize, .defragment, .sparsify,
    ]

    /// As it is written.
    public var rawValue: String {
        switch self {
        case .estimate: "estimate"
        case .verify: "verify"
        case .compress: "compress"
        case .dedupe: "dedupe"
        case .optimize: "optimize"
        case .defragment: "defragment"
        case .sparsify: "sparsify"
        case .unknown(let word): word
        }
    }

    /// The service that starts it; nil where this release has none.
    public var service: ServiceName? {
        switch self {
        case .estimate: .estimate
        case .verify: .verify
        case .compress: .compress
        case .dedupe: .dedupe
        case .optimize: .optimize
        case .defragment: .defragment
        case .sparsify: .sparsify
        case .unknown: nil
        }
    }

    /// It only looks: it saves nothing, and what was known of the disk before it is known after it.
    public var changesNothing: Bool { self == .estimate || self == .verify }

    /// Why it never works on dom0's own files, for whoever asks for them; nil where it does.
    public var refusalOfSystem: String? {
        switch self {
        case .estimate, .compress, .dedupe, .optimize, .defragment, .unknown: nil
        case .verify:
            "Images of volumes are compared, not dom0's own files: what they are to be, its"
                + " packages know (rpm --verify --all)."
        case .sparsify:
            "Holes are made in images of volumes, not in dom0's own files: programs there may rely"
                + " on what they have allocated."
        }
    }
}
