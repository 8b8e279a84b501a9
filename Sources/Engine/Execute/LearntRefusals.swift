// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls
internal import SystemPackage

/// What the kernel has refused to share into, so that it is not asked again, and nothing is read,
/// packed or written for it. One for all lanes of a job.
///
/// A subvolume that is being sent refuses every request, and one whose quota is full most: that may
/// pass, so that after a while one extent is let through to try. A file that is refused stays so
/// for the rest of the job.
final class LearntRefusals: Sendable {
    /// The most subvolumes and files that are remembered; of more each costs what it costs.
    static let placeLimit = 4096

    private let hold: Duration
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Monitor<[Place: Refusal]>([:])

    private enum Place: Hashable {
        case subvolume(TreeIdentifier)
        case file(InodeIdentifier)
    }

    private struct Refusal {
        let reason: Errno
        /// When one extent may try again; nil for never.
        var end: ContinuousClock.Instant?
        /// The extent that tries.
        var attempt: LogicalAddress?

        func holds(for address: LogicalAddress, at now: ContinuousClock.Instant) -> Bool {
            attempt != address && (end.map { now < $0 } ?? true)
        }
    }

    /// - Parameters:
    ///   - hold: for how long a subvolume is left alone.
    ///   - now: what the time is.
    init(hold: Duration, now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.hold = hold
        self.now = now
    }

    /// Takes the kernel's answer to a request to change what a file refers to. Most answers say
    /// nothing of the next request.
    func note(_ reason: Errno, of inode: InodeIdentifier) {
        let place: Place
        var end: ContinuousClock.Instant?
        switch reason {
        // btrfs_extent_same in fs/btrfs/reflink.c: the root's send_in_progress.
        case .resourceTemporarilyUnavailable, .diskQuotaExceeded:
            place = .subvolume(inode.subvolume)
            end = now() + hold
        // generic_remap_file_range_prep in fs/remap_range.c: IS_SWAPFILE, IS_IMMUTABLE.
        case .textFileBusy, .notPermitted:
            place = .file(inode)
        default: return
        }
        state.withLock { state in
            guard state[place] != nil || state.count < Self.placeLimit else { return }
            state[place] = Refusal(reason: reason, end: end)
        }
    }

    /// What an extent has tried has gone well: the subvolume refuses no more. Others may have been
    /// asked before it began to refuse, and say nothing.
    func noteSuccess(of inode: InodeIdentifier, forExtentAt address: LogicalAddress) {
        state.withLock { state in
            if state.isEmpty { return }
            let place = Place.subvolume(inode.subvolume)
            if state[place]?.attempt == address { state[place] = nil }
        }
    }

    /// Why a request for an extent would be refused; nil when it may be asked for.
    func refusal(of inode: InodeIdentifier, forExtentAt address: LogicalAddress) -> Errno? {
        state.withLock { state in
            if state.isEmpty { return nil }
            let now = now()
            return Self.places(of: inode).compactMap { state[$0] }
                .first { $0.holds(for: address, at: now) }?.reason
        }
    }

    /// Why an extent with references in these files must not be begun; nil when it may. Where time
    /// has passed since a refusal it is the one that tries, and others wait for what comes of it.
    func admit(
        _ address: LogicalAddress, usedBy inodes: some Sequence<InodeIdentifier>
    ) -> Errno? {
        state.withLock { state in
            if state.isEmpty { return nil }
            let now = now()
            var known: Set<Place> = []
            for place in inodes.lazy.flatMap(Self.places) {
                guard let refusal = state[place] else { continue }
                if refusal.holds(for: address, at: now) { return refusal.reason }
                known.insert(place)
            }
            for place in known {
                state[place]?.attempt = address
                state[place]?.end = now + hold
            }
            return nil
        }
    }

    /// An extent was left alone before anything was asked for: another one may try in its place.
    func withdraw(_ address: LogicalAddress) {
        state.withLock { state in
            if state.isEmpty { return }
            for place in state.keys where state[place]?.attempt == address {
                state[place]?.attempt = nil
                state[place]?.end = now()
            }
        }
    }

    private static func places(of inode: InodeIdentifier) -> [Place] {
        [.subvolume(inode.subvolume), .file(inode)]
    }
}

extension LeftAloneReason {
    /// What it means that the kernel has refused to change what a file refers to.
    init(refusal: Errno) {
        switch refusal {
        case .resourceTemporarilyUnavailable: self = .beingSent
        case .diskQuotaExceeded: self = .quotaFull
        case .textFileBusy: self = .swapFile
        case .notPermitted: self = .immutable
        // A file has become shorter, a flag of it was changed, or it was deleted.
        case .invalidArgument, .staleNFSFileHandle: self = .changedMeanwhile
        default: self = .refused
        }
    }
}
