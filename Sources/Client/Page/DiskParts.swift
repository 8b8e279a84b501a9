// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// The disk cut into parts that do not overlap and add up to it: what each volume has for itself,
/// what the volumes of a qube, the qubes of a family, and the families share, and the rest.
///
/// What is shared belongs to nobody alone, so that it is a part of its own, one level higher.
struct DiskPart: Equatable, Sendable {
    /// What a part is.
    enum Kind: Equatable, Sendable {
        /// A template's family, of this number.
        case family(Int)
        /// A qube.
        case qube
        /// What a volume has for itself.
        case own
        /// What the volume's revisions have for themselves.
        case revisions
        /// What the parts beside it share.
        case shared
        /// What no qube's volume holds.
        case others
    }

    var kind: Kind
    var name: String
    var bytes: UInt64
    var parts: [DiskPart] = []

    /// The parts of all that a report tells.
    static func all(_ report: Report) -> [DiskPart] {
        let qubes = Dictionary(
            report.qubes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let sets =
            report.families
            ?? report.qubes.map {
                QubeSet(name: $0.name, qubes: [$0.name], figures: $0.figures)
            }
        var families: [DiskPart] = []
        let bySize = sets.sorted {
            ($1.figures.exclusiveBytes, $0.name) < ($0.figures.exclusiveBytes, $1.name)
        }
        for (number, set) in bySize.enumerated() {
            let members = set.qubes.compactMap { qubes[$0] }.map(part)
            families.append(
                DiskPart(kind: .family(number), name: set.name, bytes: set.figures.exclusiveBytes)
                    .divided(members, rest: "shared within \(set.name)"))
        }
        var whole = DiskPart(kind: .others, name: "", bytes: report.total.exclusiveBytes)
            .divided(families, rest: "shared between families").parts
        guard let machine = report.machine else {
            let strangers = report.total.diskBytes.minus(report.total.exclusiveBytes)
            return whole + rest(strangers, "shared with others")
        }
        let outside = machine.others.exclusiveBytes
        if outside > 0 {
            whole.append(DiskPart(kind: .others, name: "dom0 and other files", bytes: outside))
        }
        let known = whole.reduce(0) { $0 + $1.bytes }
        let unknown = machine.everything.diskBytes.minus(known)
        return whole + rest(unknown, "all else, and shared with it")
    }

    private static func part(_ qube: Report.Qube) -> DiskPart {
        let volumes = qube.volumes.flatMap { volume in
            let revisions = min(volume.figures.revisionsBytes, volume.figures.exclusiveBytes)
            return [
                DiskPart(
                    kind: .own, name: volume.name,
                    bytes: volume.figures.exclusiveBytes - revisions),
                DiskPart(kind: .revisions, name: "\(volume.name), revisions", bytes: revisions),
            ]
        }
        return DiskPart(kind: .qube, name: qube.name, bytes: qube.figures.exclusiveBytes)
            .divided(volumes, rest: "shared by its volumes")
    }

    private static func rest(_ bytes: UInt64, _ name: String) -> [DiskPart] {
        bytes > 0 ? [DiskPart(kind: .shared, name: name, bytes: bytes)] : []
    }

    /// The same with parts in it, and what these leave as one more.
    private func divided(_ parts: [DiskPart], rest name: String) -> DiskPart {
        var whole = self
        let known = parts.reduce(0) { $0 + $1.bytes }
        whole.parts =
            parts.filter { $0.bytes > 0 } + Self.rest(bytes.minus(min(known, bytes)), name)
        return whole
    }
}

extension UInt64 {
    /// The difference, or nothing where it would be negative.
    func minus(_ other: UInt64) -> UInt64 { other > self ? 0 : self - other }
}
