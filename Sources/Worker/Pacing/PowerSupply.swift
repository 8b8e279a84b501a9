// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemPackage

/// One entry of `/sys/class/power_supply`.
struct PowerSupply: Equatable, Sendable {
    /// `Mains`, `USB`, `Battery`, ...
    var type: String
    /// Of mains: it gives power.
    var isOnline = false
    /// Of a battery: `Charging`, `Discharging`, `Full`, ...
    var status = ""
    /// `Device` for the battery of a mouse, which says nothing of the machine.
    var scope = ""

    /// Whether a machine with these runs on battery: its own discharges, and no mains is there. A
    /// USB port that gives some power, but less than is used, is no mains. Pure.
    static func isOnBattery(_ supplies: [PowerSupply]) -> Bool {
        let own = supplies.filter { $0.scope != "Device" }
        if own.contains(where: { $0.type == "Mains" && $0.isOnline }) { return false }
        return own.contains { $0.type == "Battery" && $0.status == "Discharging" }
    }

    /// All of a machine's. None where the folder is missing: a machine without a battery.
    static func all(in folder: FilePath) -> [PowerSupply] {
        SmallFile.names(in: folder).map { name in
            func value(_ key: String) -> String {
                let text = SmallFile.text(folder.appending(name).appending(key)) ?? ""
                return String(text.prefix { $0 != "\n" })
            }
            return PowerSupply(
                type: value("type"), isOnline: value("online") == "1", status: value("status"),
                scope: value("scope"))
        }
    }
}
