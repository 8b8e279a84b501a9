// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import SystemCalls

extension Sites {
    /// Leaves out the file systems of which a device is missing, each named: what a job writes to
    /// one of them is on the devices that are left alone, and has lost its second copy for good.
    mutating func leaveDegraded() throws(BtrfsError) {
        var whole: [Site] = []
        for site in sites {
            let missing = try site.fileSystem.devices().filter(\.isMissing)
            guard let first = missing.first else {
                whole.append(site)
                continue
            }
            let subjects: [Subject] =
                site.pools.isEmpty ? [.machine] : site.pools.map { .pools([$0.pool.name]) }
            for subject in subjects {
                problems.append(
                    Report.Problem(
                        subject,
                        Degraded.message(missing.count) + ": what a job moves would lose"
                            + " its second copy. \(Degraded.advice(first, site))"))
            }
        }
        sites = whole
    }
}

/// Words for a file system of which devices are missing.
enum Degraded {
    static func message(_ count: Int) -> String {
        "\(count == 1 ? "a device is" : "\(count) devices are") missing of its file system"
    }

    /// What mends it.
    static func command(_ device: DeviceSpace, _ point: String) -> String {
        "btrfs replace start -B \(device.identifier) /dev/NEW \(point)"
    }

    static func advice(_ device: DeviceSpace, _ site: Site) -> String {
        "Connect it and mount the file system again, or put another in its place:"
            + " \(command(device, site.point)). What was written meanwhile has one copy until it is"
            + " balanced (btrfs balance, convert=PROFILE,soft)."
    }
}

/// What a file system's devices mean. Pure.
enum DeviceRules {
    static func devices(
        _ devices: [DeviceSpace], _ subject: String, _ point: String
    ) -> [CheckReport.Finding] {
        let missing = devices.filter(\.isMissing)
        guard let first = missing.first else {
            return [
                CheckReport.Finding(
                    .good, "devices", subject,
                    devices.count == 1 ? "its device is there" : "all its devices are there")
            ]
        }
        return [
            CheckReport.Finding(
                .problem, "devices", subject, Degraded.message(missing.count),
                reason: "Nothing that is written now has its second copy there, so that jobs leave"
                    + " this file system alone. Connect the device and mount again, or put another"
                    + " in its place.", command: Degraded.command(first, point))
        ]
    }
}
