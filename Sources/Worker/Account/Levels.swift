// SPDX-License-Identifier: GPL-2.0-or-later
internal import Engine
internal import Protocol
internal import Qubes

/// The ways in which a report puts volumes into sets. A volume that was not asked for is in none:
/// it counts as a stranger, and nothing of it is reported.
struct Levels {
    /// What a set is of.
    enum Kind: Int, CaseIterable {
        case volumes, qubes, families, groups, pools
        /// All together are one set.
        case total

        /// The set of a volume; nil for none.
        fileprivate func name(of volume: WorkerOrder.Volume) -> String? {
            switch self {
            case .volumes: "\(volume.qube):\(volume.name)"
            case .qubes: volume.qube
            case .families: volume.family
            case .groups: DedupeGroup.shownName(volume.dedupeGroup)
            case .pools: volume.isSystem ? nil : volume.pool
            case .total: ""
            }
        }
    }

    /// Names of sets, with the volumes of each.
    struct Level {
        var names: [String] = []
        /// By volume; -1 for none.
        var set: [Int]

        init(_ order: WorkerOrder, _ name: (WorkerOrder.Volume) -> String?) {
            set = [Int](repeating: -1, count: order.volumes.count)
            var numbers: [String: Int] = [:]
            for (index, volume) in order.volumes.enumerated() where volume.selected {
                guard let name = name(volume) else { continue }
                if numbers[name] == nil {
                    numbers[name] = names.count
                    names.append(name)
                }
                set[index] = numbers[name] ?? -1
            }
        }
    }

    /// By kind, in their order.
    let all: [Level]

    init(_ order: WorkerOrder) {
        all = Kind.allCases.map { kind in Level(order) { kind.name(of: $0) } }
    }

    subscript(kind: Kind) -> Level { all[kind.rawValue] }
}

/// What every set of every level takes.
struct LevelFigures {
    private var sets: [[SpaceFigures]]

    /// Nothing yet.
    init(_ levels: Levels) {
        sets = levels.all.map { level in
            [SpaceFigures](repeating: SpaceFigures(), count: level.names.count)
        }
    }

    /// An account's that was made with levels.
    init(_ account: Account) { sets = account.sets }

    /// The sets of a level.
    subscript(kind: Levels.Kind) -> [SpaceFigures] { sets[kind.rawValue] }

    static func += (left: inout LevelFigures, right: LevelFigures) {
        for (level, figures) in right.sets.enumerated() {
            for (set, part) in figures.enumerated() { left.sets[level][set] += part }
        }
    }
}
