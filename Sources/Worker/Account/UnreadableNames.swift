// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol

/// Gives what the engine could not read its names: qube, volume and image.
enum UnreadableNames {
    /// The places in the order of the images, neighbours joined; a file that belongs to several
    /// volumes is named for the first.
    static func named(
        _ places: [Engine.UnreadablePlace], _ list: ImageList, _ order: WorkerOrder
    ) -> [Protocol.UnreadablePlace] {
        let images = Dictionary(
            list.images.map { ($0.inode, $0) }, uniquingKeysWith: { first, _ in first })
        return Engine.UnreadablePlace.joined(places).map { place in
            let image = images[place.inode]
            let volume = image.map { order.volumes[$0.volume] }
            let copy = place.copy.flatMap { copy in
                images[copy.inode].map { image in
                    let volume = order.volumes[image.volume]
                    let offset = copy.offset.rawValue
                    return "\(volume.qube):\(volume.name), \(image.path) at \(offset)"
                }
            }
            return Protocol.UnreadablePlace(
                qube: volume?.qube ?? "", volume: volume?.name ?? "",
                image: image?.path ?? "\(place.inode)",
                offsetBytes: place.range.lowerBound.rawValue,
                lengthBytes: (place.range.upperBound - place.range.lowerBound).rawValue,
                copies: copy.map { [$0] })
        }
    }
}

extension JobResult {
    /// Adds what one file system did not give back.
    mutating func add(unreadable places: [Protocol.UnreadablePlace]) {
        guard !places.isEmpty else { return }
        unreadable = Array(((unreadable ?? []) + places).prefix(Limits.namedItems))
        unreadableCount = (unreadableCount ?? 0) + UInt64(places.count)
    }

    /// Adds what the kernel has counted of a file system's devices since an earlier look.
    mutating func add(errorsOf devices: [DeviceErrors], since earlier: [DeviceErrors]) {
        let grown = devices.compactMap { device -> DeviceErrorCounts? in
            let before = earlier.first { $0.identifier == device.identifier }
            let new = before.map(device.since) ?? device
            return new.hasAny ? DeviceErrorCounts(new) : nil
        }
        if !grown.isEmpty { deviceErrors = (deviceErrors ?? []) + grown }
    }
}

extension DeviceErrorCounts {
    /// As the kernel's counters say.
    init(_ errors: DeviceErrors) {
        self.init(
            device: errors.path, reads: errors.reads, writes: errors.writes,
            flushes: errors.flushes, corruptions: errors.corruptions,
            generations: errors.generations)
    }
}

extension Protocol.UnreadablePlace {
    /// For dom0's journal.
    var journalText: String {
        "unreadable: \(qube):\(volume), \(image), \(lengthBytes) bytes at \(offsetBytes)"
    }
}
