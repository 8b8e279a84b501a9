// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// Faults of Btrfs in kernels on which jobs run, that are mended in later ones. Pure.
///
/// From the table that the project bees keeps (docs/btrfs-kernel.md there), those since encoded
/// writes that may cost a file system; what only costs time is left out.
struct KernelFault {
    /// The first series that has it.
    let first: KernelVersion
    /// The first one that never had it again.
    let mended: KernelVersion
    /// The release of earlier series with which it was mended in these.
    let patches: [(series: KernelVersion, release: Int)]
    /// What may happen.
    let text: String
    /// The kernel's own commit.
    let commit: String

    static let all = [
        KernelFault(
            first: KernelVersion(5, 18), mended: KernelVersion(5, 19),
            patches: [(KernelVersion(5, 18), 3)],
            text: "a wrong count of devices can keep it from being mounted",
            commit: "d201238ccd2f"),
        KernelFault(
            first: KernelVersion(5, 18), mended: KernelVersion(6, 0),
            patches: [(KernelVersion(5, 18), 18), (KernelVersion(5, 19), 2)],
            text: "a crash in the middle of a rename can keep it from being mounted",
            commit: "723df2bcc9e1"),
        KernelFault(
            first: KernelVersion(5, 12), mended: KernelVersion(6, 0),
            patches: [(KernelVersion(5, 15), 65), (KernelVersion(5, 19), 6)],
            text: "space can be given to two files at once", commit: "ced8ecf026fd"),
        KernelFault(
            first: KernelVersion(6, 10), mended: KernelVersion(6, 12),
            patches: [(KernelVersion(6, 11), 10)],
            text: "references that are added can make it read-only", commit: "7d493a5ecc26"),
    ]

    /// - Parameter release: the third number of a version; 0 where it has none.
    func isIn(_ version: KernelVersion, release: Int) -> Bool {
        guard version >= first, version < mended else { return false }
        return !patches.contains { $0.series == version && release >= $0.release }
    }

    /// The third number of `6.12.59-1.qubes.fc41`; 0 where there is none.
    static func release(of text: String) -> Int {
        let parts = text.prefix { $0.isNumber || $0 == "." }.split(separator: ".")
        return parts.count > 2 ? Int(parts[2]) ?? 0 : 0
    }
}
