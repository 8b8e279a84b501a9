// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
public import SystemPackage

extension Descriptor {
    /// Opens an inode of a Btrfs for reading by its subvolume, number and generation
    /// (`open_by_handle_at(2)`, without touching its access time); `self` is any open directory of
    /// a mount of it. Reaches subvolumes that are mounted nowhere, and files without a name.
    ///
    /// The handle is laid out as fs/btrfs/export.h has it: stable, for NFS clients keep such
    /// handles across reboots. Kernels before 6.2 compare the generation even when it is 0.
    public borrowing func openBtrfsInode(
        subvolume: UInt64, number: UInt64, generation: UInt32
    ) throws(Errno) -> Descriptor {
        let descriptor = csystemcalls_open_btrfs_inode(
            rawValue, subvolume, number, generation)
        return Descriptor(owning: try checked(descriptor))
    }
}
