// SPDX-License-Identifier: GPL-2.0-or-later

/// A part of an image that the disk does not give back any more.
public struct UnreadablePlace: Codable, Equatable, Sendable {
    /// The qube whose image it is; `dom0` for dom0's own files; empty for a file of no qube.
    public var qube: String
    /// The qube's volume; empty for a file of no qube.
    public var volume: String
    /// The image's path below its pool's directory; of another file its number and subvolume.
    public var image: String
    /// Where in the image it begins, in bytes.
    public var offsetBytes: UInt64
    /// How much it is, in bytes.
    public var lengthBytes: UInt64
    /// Where the same content can still be read: `QUBE:VOLUME, IMAGE at OFFSET`. nil where nobody
    /// knows of one.
    public var copies: [String]?

    /// Makes a place.
    public init(
        qube: String, volume: String, image: String, offsetBytes: UInt64, lengthBytes: UInt64,
        copies: [String]? = nil
    ) {
        self.qube = qube
        self.volume = volume
        self.image = image
        self.offsetBytes = offsetBytes
        self.lengthBytes = lengthBytes
        self.copies = copies
    }
}

/// What the kernel has counted of a device, as `btrfs device stats` shows it: since the counters
/// were last set to zero, or in the course of one job.
public struct DeviceErrorCounts: Codable, Equatable, Sendable {
    /// The device's path.
    public var device: String
    /// Reads that it refused.
    public var reads: UInt64
    /// Writes that it refused.
    public var writes: UInt64
    /// Flushes that it refused.
    public var flushes: UInt64
    /// Sectors and nodes whose checksums did not fit.
    public var corruptions: UInt64
    /// Nodes of another generation than they should be.
    public var generations: UInt64

    /// Makes counts.
    public init(
        device: String, reads: UInt64 = 0, writes: UInt64 = 0, flushes: UInt64 = 0,
        corruptions: UInt64 = 0, generations: UInt64 = 0
    ) {
        self.device = device
        self.reads = reads
        self.writes = writes
        self.flushes = flushes
        self.corruptions = corruptions
        self.generations = generations
    }

    /// `3 reads, 1 sector with a wrong checksum`: the counters that are not zero.
    public var text: String {
        func part(_ count: UInt64, _ one: String, _ many: String) -> String? {
            count == 0 ? nil : "\(count) \(count == 1 ? one : many)"
        }
        return [
            part(reads, "read error", "read errors"),
            part(writes, "write error", "write errors"),
            part(flushes, "flush error", "flush errors"),
            part(corruptions, "wrong checksum", "wrong checksums"),
            part(generations, "stale node", "stale nodes"),
        ].compactMap(\.self).joined(separator: ", ")
    }
}
