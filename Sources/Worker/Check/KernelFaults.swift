// SPDX-License-Identifier: GPL-2.0-or-later

/// Faults of Btrfs in kernels on which jobs run, that are mended in later ones. Pure.
///
/// From the table that the project bees keeps (docs/btrfs-kernel.md there), those since encoded
/// writes that may cost a file system; what only costs time is left out.
struct KernelFault {
    /// The first series that has it.
    let first: KernelVersion
    /// The first series that never had it again.
    let mended: KernelVersion
    /// The updates with which it was mended in earlier series.
    let updates: [KernelVersion]
    /// What may happen.
    let text: String
    /// The kernel's own commit.
    let commit: String

    static let all = [
        KernelFault(
            first: KernelVersion(5, 18), mended: KernelVersion(5, 19),
            updates: [KernelVersion(5, 18, 3)],
            text: "a wrong count of devices can keep it from being mounted",
            commit: "d201238ccd2f"),
        KernelFault(
            first: KernelVersion(5, 18), mended: KernelVersion(6, 0),
            updates: [KernelVersion(5, 18, 18), KernelVersion(5, 19, 2)],
            text: "a crash in the middle of a rename can keep it from being mounted",
            commit: "723df2bcc9e1"),
        KernelFault(
            first: KernelVersion(5, 12), mended: KernelVersion(6, 0),
            updates: [KernelVersion(5, 15, 65), KernelVersion(5, 19, 6)],
            text: "space can be given to two files at once", commit: "ced8ecf026fd"),
        KernelFault(
            first: KernelVersion(6, 10), mended: KernelVersion(6, 12),
            updates: [KernelVersion(6, 11, 10)],
            text: "references that are added can make it read-only", commit: "7d493a5ecc26"),
    ]

    func isIn(_ version: KernelVersion) -> Bool {
        version >= first && version < mended
            && !updates.contains { version.isOfSeries(of: $0) && version >= $0 }
    }
}
