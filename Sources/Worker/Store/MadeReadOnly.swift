// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol

extension Failure {
    /// A job could write when it started, and cannot any more: the kernel has met an error that it
    /// could not mend, and keeps what is on the disk by writing nothing more. Nil when the file
    /// system can still be written to.
    init?(madeReadOnly site: Site, _ error: BtrfsError) {
        guard site.fileSystem.isReadOnly else { return nil }
        let pools = site.pools.map(\.pool.name).joined(separator: ", ")
        let errors = (try? site.fileSystem.deviceErrors()) ?? []
        self.init(
            .unsuitablePool, Self.madeReadOnly(pools: pools, errors), detail: "\(error)")
    }

    /// What has happened, why if the devices' own counts tell, and what to do.
    static func madeReadOnly(pools: String, _ errors: [DeviceErrors]) -> String {
        let subject = pools.isEmpty ? "the file system" : "the file system of pool \(pools)"
        let counted = errors.filter(\.hasAny).map(text)
        let names = errors.map(\.path).joined(separator: ", ")
        let reason =
            counted.isEmpty
            ? "None of its devices (\(names)) counts an error: it may have run out of room for"
                + " metadata"
            : counted.joined(separator: "; ")
        return "the kernel has made \(subject) read-only while the job ran, and the job has ended:"
            + " qubes cannot write either until it is mounted anew. \(reason). No image was"
            + " changed. 'dmesg' and 'btrfs device stats' tell more."
    }

    private static func text(_ errors: DeviceErrors) -> String {
        let device = errors.path.isEmpty ? "device \(errors.identifier)" : errors.path
        return "Errors that \(device) has counted: \(DeviceErrorCounts(errors).text)"
    }
}
