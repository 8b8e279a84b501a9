// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol

extension Failure {
    /// What was written to a scratch file did not reach the disk: nil for any other error.
    init?(refusedWrite error: BtrfsError, on site: Site) {
        guard error.isRefusedWrite else { return nil }
        let devices = (try? site.fileSystem.deviceErrors()) ?? []
        let folder = site.pools.first?.pool.directory ?? "/"
        self.init(
            .unsuitablePool, Self.refusedWrites(devices, folder: folder),
            detail: "\(error)")
    }

    /// Which device, what became of the images, and what to do.
    static func refusedWrites(_ devices: [DeviceErrors], folder: String) -> String {
        let counted = devices.filter { $0.writes > 0 || $0.flushes > 0 }
        let names = (counted.isEmpty ? devices : counted).prefix(Limits.namedItems).map { device in
            device.hasAny
                ? "\(device.path) (\(DeviceErrorCounts(device).text))" : device.path
        }
        // Which devices there are is read from the disk as well.
        let subject = names.isEmpty ? "that of \(folder)" : names.joined(separator: ", ")
        return
            "the disk refuses writes: \(subject). What was written for the"
            + " job did not reach it, no image points there, and nothing more was tried. What was"
            + " finished stays done, and every image reads as before. See 'btrfs device stats"
            + " \(folder)' and 'dmesg', and save what is on that disk before anything else."
    }
}
