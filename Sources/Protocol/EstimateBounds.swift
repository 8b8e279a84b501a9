// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials

extension Estimate {
    /// As much of it as fits into a line, a record and a reply: the qubes that take most. However
    /// many qubes a machine has, its total stands.
    public func fitting() -> Estimate {
        var volumes = Limits.estimatedVolumes
        var estimate = naming(volumes: volumes)
        while volumes > 0, estimate.lengthBytes > Limits.estimateBytes {
            volumes /= 2
            estimate = naming(volumes: volumes)
        }
        return estimate
    }

    /// As it is sent; more than any bound when it cannot be.
    private var lengthBytes: Int { (try? JSONEncoder().encode(self).count) ?? .max }

    private func naming(volumes most: Int) -> Estimate {
        var estimate = self
        var room = most
        estimate.total = total.bounded()
        let kept = qubes.prefix { qube in
            room -= max(qube.volumes.count, 1)
            return room >= 0
        }
        estimate.qubes = kept.map { qube in
            Qube(
                name: qube.name.bounded(), figures: qube.figures.bounded(),
                volumes: qube.volumes.map {
                    Volume(name: $0.name.bounded(), figures: $0.figures.bounded())
                })
        }
        estimate.qubesLeftOut = qubesLeftOut + qubes.count - kept.count
        return estimate
    }
}

extension Estimate.Figures {
    /// With no more levels than there are.
    fileprivate func bounded() -> Estimate.Figures {
        var figures = self
        figures.levels = Array(levels.prefix(CompressRequest.levels.count + 1))
        return figures
    }
}

extension String {
    /// Cut where it is too long for a record.
    public func bounded() -> String {
        count <= Limits.textCharacters ? self : prefix(Limits.textCharacters) + "..."
    }
}

extension Subject {
    /// With no long text in it.
    public func bounded() -> Subject {
        switch self {
        case .qube(let name): .qube(name.bounded())
        case .image(let qube, let volume, let path):
            .image(qube: qube.bounded(), volume: volume.bounded(), path: path?.bounded())
        case .pools(let names):
            .pools(names.prefix(Limits.namedItems).map { $0.bounded() })
        case .machine: .machine
        case .other(let kind): .other(kind: kind.bounded())
        }
    }
}
