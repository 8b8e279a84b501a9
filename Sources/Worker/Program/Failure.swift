// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import SystemPackage

/// Why a worker could not do its order: for the caller, and for dom0's log.
struct Failure: Error {
    let kind: ServiceException.Kind
    let message: String
    let detail: String

    init(_ kind: ServiceException.Kind, _ message: String, detail: String = "") {
        self.kind = kind
        self.message = message
        self.detail = detail
    }

    /// None of what was asked about can be looked at. The name is that of a pool, or of a folder in
    /// it, that holds volumes which the caller has asked about, and so sees.
    init(unfit problem: Report.Problem) {
        self.init(.unsuitablePool, "\(problem.subject): \(problem.message)")
    }

    init(_ error: BtrfsError) {
        switch error.reason {
        case .noSpace where error.subject == Spill.subject,
            .diskQuotaExceeded where error.subject == Spill.subject:
            self.init(
                .failed,
                "neither the cache directory (/var/cache/qubes-btrfs) nor the pool has space left"
                    + " for what does not fit into memory: up to 2 GiB for each TiB of images. The"
                    + " images are as they were. Free some space there, then try again.",
                detail: "\(error)")
        case .diskQuotaExceeded:
            self.init(
                .unsuitablePool,
                "a quota leaves no room for the scratch file; what was finished stays done. See"
                    + " 'btrfs qgroup show -ref DIRECTORY' of the pool's directory, and free some"
                    + " space there or raise the limit ('btrfs qgroup limit SIZE 0/ID PATH', with a"
                    + " path on another subvolume: a full one refuses that, too). Then start the"
                    + " job again.",
                detail: "\(error)")
        case .noSpace:
            self.init(
                .unsuitablePool,
                "the file system has no space left for the scratch file; what was finished stays"
                    + " done. Free some space, then start the job again.",
                detail: "\(error)")
        case .readOnlyFileSystem:
            self.init(
                .unsuitablePool,
                "the file system is mounted read-only. Mount it for writing (mount -o remount,rw),"
                    + " then start the job again.",
                detail: "\(error)")
        case .notPermitted, .permissionDenied:
            self.init(
                .failed,
                "the worker may not do what it has to: it must be started by qubes-btrfsd, as root,"
                    + " and the pool's directory must belong to root (chown root: DIRECTORY)",
                detail: "\(error)")
        default:
            self.init(
                .failed, "the file system refused a call; dom0's journal has the detail",
                detail: "\(error)")
        }
    }

    /// The same, of one of several file systems.
    var besidesOthers: Failure {
        Failure(
            kind, message + " What was to be done on the other file systems was done.",
            detail: detail)
    }
}
