// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// The places that jobs could not read, as they are now: each is read once more before it is told
/// of, and forgotten when it can be read, or is gone.
struct UnreadableBook {
    let site: Site
    let order: WorkerOrder

    /// Notes down what a job could not read.
    func add(_ places: [Engine.UnreadablePlace]) {
        guard !places.isEmpty, let notes = site.notes else { return }
        notes.update { notes in
            for place in places.map(SiteNotes.Place.init)
            where !notes.unreadable.contains(place) && notes.unreadable.count < Limits.namedItems {
                notes.unreadable.append(place)
            }
        }
    }

    /// What of the volumes that were asked about cannot be read.
    func current(_ list: ImageList) -> [Protocol.UnreadablePlace] {
        guard let notes = site.notes else { return [] }
        let noted = notes.read().unreadable
        guard !noted.isEmpty else { return [] }
        let left = noted.filter(isUnreadable)
        if left != noted { notes.update { $0.unreadable.removeAll { !left.contains($0) } } }
        return UnreadableNames.named(left.map(\.place), list, order).filter { place in
            order.volumes.contains {
                $0.selected && $0.qube == place.qube && $0.name == place.volume
            }
        }
    }

    /// Asks the device: what the cache holds is let go first.
    private func isUnreadable(_ place: SiteNotes.Place) -> Bool {
        let inode = place.place.inode
        guard let item = try? site.fileSystem.inode(inode),
            let file = try? site.fileSystem.openInode(inode, generation: item.generation)
        else { return false }
        file.advise(.doNotNeed, offset: place.offsetBytes, lengthBytes: place.lengthBytes)
        var buffer = [UInt8](repeating: 0, count: Int(site.fileSystem.sectorBytes.rawValue))
        let end = place.offsetBytes + min(place.lengthBytes, Self.lookBytes)
        for offset in stride(from: place.offsetBytes, to: end, by: buffer.count) {
            switch Self.read(file, &buffer, at: offset) {
            case nil: continue
            case .ioError?: return true
            case .some: return false
            }
        }
        return false
    }

    /// - Returns: why it could not be read.
    private static func read(
        _ file: borrowing Descriptor, _ buffer: inout [UInt8], at offset: UInt64
    ) -> Errno? {
        unsafe buffer.withUnsafeMutableBytes { bytes in
            do throws(Errno) {
                _ = unsafe try file.read(into: bytes, atOffset: offset)
                return nil
            } catch {
                return error
            }
        }
    }

    /// Of a long place only so much is read again.
    private static let lookBytes: UInt64 = 1 << 20
}

extension SiteNotes.Place {
    init(_ place: Engine.UnreadablePlace) {
        self.init(
            subvolume: place.inode.subvolume.rawValue, number: place.inode.number,
            offsetBytes: place.range.lowerBound.rawValue,
            lengthBytes: (place.range.upperBound - place.range.lowerBound).rawValue)
    }

    var place: Engine.UnreadablePlace {
        let start = FileOffset(offsetBytes)
        return Engine.UnreadablePlace(
            inode: InodeIdentifier(subvolume: TreeIdentifier(subvolume), number: number),
            range: start..<(start + ByteCount(lengthBytes)))
    }
}
