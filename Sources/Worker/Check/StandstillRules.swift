// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// What it means that a file system stands still. Pure.
enum StandstillRules {
    /// - Parameter isForMachine: mount points and devices may be named.
    static func finding(_ site: StillSite, isForMachine: Bool) -> CheckReport.Finding {
        let (reason, command) = text(site)
        return CheckReport.Finding(
            .problem, "mount.standstill", about: .pools(site.pools),
            "it stands still: \(site.standstill.advice)", reason: reason,
            command: isForMachine ? command : nil)
    }

    private static func text(_ site: StillSite) -> (reason: String, command: String) {
        switch site.standstill {
        case .frozen:
            (
                "Qubes that write to it hang until it is thawed, which whoever froze it does: a"
                    + " backup, a snapshot of the disk, hibernation. Nothing else of it was looked"
                    + " at.",
                "fsfreeze --unfreeze \(site.point)  # if nobody does"
            )
        case .suspended(let device):
            (
                "Qubes on it hang until it is resumed, which whoever suspended it does. Nothing"
                    + " else of it was looked at.",
                "dmsetup resume /dev/\(device)  # if nobody does"
            )
        case .silent:
            (
                "Requests to its device were not answered for"
                    + " \(Int(DeviceWatch.silentSeconds)) s: its cable, its power, or what stands"
                    + " behind it. Nothing else of it was looked at.",
                "dmesg"
            )
        }
    }
}
