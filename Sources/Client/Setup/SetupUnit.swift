// SPDX-License-Identifier: GPL-2.0-or-later

/// The units of systemd that `setup` turns on, in this order.
enum SetupUnit: String, CaseIterable {
    case socket = "qubes-btrfsd.socket"
    case timer = "qubes-btrfs-weekly.timer"
    case compression = "qubes-btrfs-compress.service"
    case follow = "qubes-btrfs-follow.service"

    /// What it is there for, for people.
    var purpose: String {
        switch self {
        case .socket: "the service answers calls"
        case .timer: "all qubes are optimized every week"
        case .compression: "what is written from now on is compressed"
        case .follow: "a template that was updated and a qube that is new are optimized soon"
        }
    }

    /// What is no longer so without it.
    var loss: String {
        switch self {
        case .socket: "the service answers no calls; a job that runs ends, what it did stays"
        case .timer: "nothing runs by itself"
        case .compression: "new data is written as before; what is packed stays packed"
        case .follow: "updated templates and new qubes wait for the weekly run"
        }
    }
}

/// How a unit stands, by systemd's own words.
struct UnitStanding: Equatable {
    /// At the next start of the machine it is started.
    var isEnabled: Bool
    /// It runs, or has done what it is there for.
    var isActive: Bool

    /// Nothing is left to be turned on.
    var isOn: Bool { isEnabled && isActive }
}

/// One call of `systemctl`.
struct SetupStep: Equatable, Encodable {
    enum Verb: String, Encodable { case enable, disable, start, stop }

    let unit: String
    let verb: Verb
    /// At the next start of the machine and now, where the verb is about the former.
    let isNow: Bool
    /// Why, for people.
    let reason: String

    /// What is given to `systemctl`.
    var arguments: [String] { [verb.rawValue] + (isNow ? ["--now"] : []) + [unit] }
    /// As somebody would type it.
    var command: String { (["systemctl"] + arguments).joined(separator: " ") }

    private enum CodingKeys: String, CodingKey { case unit, command, reason }

    func encode(to encoder: any Encoder) throws {
        var own = encoder.container(keyedBy: CodingKeys.self)
        try own.encode(unit, forKey: .unit)
        try own.encode(command, forKey: .command)
        try own.encode(reason, forKey: .reason)
    }
}

/// What has to be done, from how things stand and what `setup` has done before. Pure.
enum SetupPlan {
    /// Turns on what is off.
    static func on(_ standings: [SetupUnit: UnitStanding]) -> [SetupStep] {
        SetupUnit.allCases.compactMap { unit in
            guard let standing = standings[unit], !standing.isOn else { return nil }
            return SetupStep(
                unit: unit.rawValue, verb: standing.isEnabled ? .start : .enable,
                isNow: !standing.isEnabled, reason: unit.purpose)
        }
    }

    /// Turns off what `setup` has turned on, as far as it still is; the last one first.
    static func undo(
        _ record: SetupRecord, _ standings: [SetupUnit: UnitStanding]
    ) -> [SetupStep] {
        SetupUnit.allCases.reversed().compactMap { unit in
            guard let before = record.standing(of: unit), let now = standings[unit] else {
                return nil
            }
            let disables = now.isEnabled && !before.isEnabled
            let stops = now.isActive && !before.isActive
            guard disables || stops else { return nil }
            return SetupStep(
                unit: unit.rawValue, verb: disables ? .disable : .stop, isNow: disables && stops,
                reason: unit.loss)
        }
    }
}
