// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
internal import SystemCalls
internal import SystemPackage

extension FileSystem {
    /// What Btrfs does with the whole file system, and lets nothing of the kind beside it:
    /// `balance`, `device remove`, ... (`exclusive_operation` in `/sys/fs/btrfs`, Linux 5.10). Nil
    /// when it does nothing, has paused a balance, or the kernel does not say.
    public var exclusiveOperation: String? {
        let path = FilePath("/sys/fs/btrfs/\(identity.text)/exclusive_operation")
        guard let file = try? Descriptor.open(path, .readOnly),
            let bytes = try? file.read(maximumBytes: 64)
        else { return nil }
        return Self.exclusiveOperation(String(decoding: bytes, as: UTF8.self))
    }

    /// Pure.
    static func exclusiveOperation(_ text: String) -> String? {
        let word = text.prefix { $0 != "\n" }
        return ["", "none", "balance paused"].contains(word) ? nil : String(word)
    }

    /// One of its devices is being scrubbed (BTRFS_IOC_SCRUB_PROGRESS, which fails with ENOTCONN
    /// where none is).
    public var isScrubbed: Bool {
        guard let identifiers = try? deviceIdentifiers() else { return false }
        return identifiers.contains { identifier in
            var arguments = btrfs_ioctl_scrub_args()
            arguments.devid = identifier
            return unsafe ioctl(root.rawValue, cbtrfs_SCRUB_PROGRESS, &arguments) == 0
        }
    }

    /// What every group of quotas holds is being counted anew (BTRFS_IOC_QUOTA_RESCAN_STATUS).
    public var isRescanningQuotas: Bool {
        var arguments = btrfs_ioctl_quota_rescan_args()
        return unsafe ioctl(root.rawValue, cbtrfs_QUOTA_RESCAN_STATUS, &arguments) == 0
            && arguments.flags != 0
    }
}
