// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// By what the rows of a report are sorted: sizes the largest first, names from A on.
enum ReportSort: String, CaseIterable, Sendable {
    case disk, data, exclusive, shared, revisions, ratio, extents, unreachable, name

    /// The qubes in order; equal ones by name.
    func sorted(_ qubes: [Report.Qube], reversed: Bool = false) -> [Report.Qube] {
        let order = qubes.sorted { one, other in
            let (first, second) = (key(one.figures), key(other.figures))
            return self == .name || first == second ? one.name < other.name : first > second
        }
        return reversed ? order.reversed() : order
    }

    private func key(_ figures: Figures) -> Double {
        switch self {
        case .disk: Double(figures.diskBytes)
        case .data: Double(figures.dataBytes)
        case .exclusive: Double(figures.exclusiveBytes)
        case .shared: Double(figures.sharedBytes)
        case .revisions: Double(figures.revisionsBytes)
        case .ratio: figures.ratio ?? 0
        case .extents: Double(figures.extents)
        case .unreachable: Double(figures.unreachableBytes)
        case .name: 0
        }
    }
}
