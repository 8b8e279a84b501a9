// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// Sees around each request that what is done to an image leaves its size and its time of
/// modification: the kernel sets neither when it shares what is equal
/// (generic_remap_file_range_prep in fs/remap_range.c), and qubesd writes to no image in place that
/// no qube runs on.
///
/// One that changes all the same ends the job: whatever it was, it was not to be, and a kernel that
/// does otherwise would do so with every image to come.
final class StampWatch: Sendable {
    private let roles: RoleBook
    private let end: @Sendable () -> Void
    private let found = Monitor<BtrfsError?>(nil)

    /// - Parameter end: nothing more is to be begun.
    init(_ roles: RoleBook, end: @escaping @Sendable () -> Void) {
        self.roles = roles
        self.end = end
    }

    /// The image that has changed, as an error of its request; nil as long as none has.
    var broken: BtrfsError? { found.withLock { $0 } }

    /// What stays.
    struct Stamps: Equatable {
        let sizeBytes: UInt64
        let modified: FileStatus.Time
    }

    /// To be asked for before a request, of the file that it changes; nil of what may change.
    func stamps(_ file: any OpenFile) -> Stamps? {
        guard let image = file as? OpenImage, roles.isAtRest(image.inode) else { return nil }
        return Self.stamps(image)
    }

    /// Ends the job if they are others after the request.
    func compare(_ before: Stamps?, _ file: any OpenFile) {
        guard let before, let image = file as? OpenImage, let after = Self.stamps(image),
            after != before, roles.isAtRest(image.inode, asOfNow: true)
        else { return }
        let changed = after.sizeBytes != before.sizeBytes ? "size" : "time of modification"
        found.withLock {
            $0 = $0 ?? .changedAtRest(image.inode, what: changed)
        }
        end()
    }

    /// Of one that was let go of nobody asks.
    private static func stamps(_ image: OpenImage) -> Stamps? {
        guard !image.isLetGo, let status = try? image.shared.descriptor.status(),
            status.isRegularFile
        else { return nil }
        return Stamps(sizeBytes: status.sizeBytes, modified: status.modified)
    }
}

extension BtrfsError {
    private static let compareStamps = "compare stamps"

    fileprivate static func changedAtRest(_ inode: InodeIdentifier, what: String) -> BtrfsError {
        BtrfsError(
            compareStamps,
            "the \(what) of file \(inode.number) in subvolume \(inode.subvolume.rawValue)",
            .badMessage)
    }

    /// It says that an image has changed beside what was done to it.
    var isChangedAtRest: Bool { call == Self.compareStamps }
}

extension Failure {
    /// An image has changed that nobody was to write to: nil for any other error.
    init?(changedAtRest error: BtrfsError) {
        guard error.isChangedAtRest else { return nil }
        self.init(
            .failed,
            "an image of a qube that is halted has changed its size or its time of modification"
                + " while the job pointed it to an equal extent, which changes neither; dom0's"
                + " journal says which. Nothing more was begun. Either something else wrote to"
                + " it in that moment, or this kernel does not share as it should. Find out"
                + " which before another job runs: 'qvm-btrfs verify' says whether it holds what"
                + " it held, if it was run before; else compare it with a backup or a revision.",
            detail: "\(error)")
    }
}
