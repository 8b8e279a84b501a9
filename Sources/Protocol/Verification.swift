// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials

/// Whether images hold what they held, as `btrfs.Verify` has seen it. It is the `verification` of a
/// job's result. There is no digest in it: those stay in dom0.
public struct Verification: Codable, Equatable, Sendable {
    /// What has come of one image.
    public enum Verdict: Sendable, CaseIterable {
        /// It holds, byte by byte, what it held.
        case equal
        /// Its qube, or somebody else, wrote to it; its digest was taken anew.
        case written
        /// Nothing was kept of it; its digest was taken now.
        case new
        /// It belongs to a running qube, or somebody had a hand on it: nothing is said of it.
        case inUse
        /// The disk did not give all of it back.
        case unreadable
        /// Nobody wrote to it, by its time stamps, and it holds other bytes than it did.
        case different
    }

    /// Images by what has come of them.
    public struct Counts: Codable, Equatable, Sendable {
        /// Those that hold what they held.
        public var equal: UInt64 = 0
        /// Those that were written to.
        public var written: UInt64 = 0
        /// Those of which nothing was kept.
        public var new: UInt64 = 0
        /// Those in use.
        public var inUse: UInt64 = 0
        /// Those that could not be read to the end.
        public var unreadable: UInt64 = 0
        /// Those that hold other bytes, though nobody wrote.
        public var different: UInt64 = 0
        /// The sizes of those that were compared and are equal or different, holes included.
        public var comparedBytes: UInt64 = 0
        /// When the oldest digest that one of them was compared with was taken, in seconds since
        /// 1970; nil where none was.
        public var oldestAt: Int64?

        /// Of no image.
        public init() {}

        /// Counts an image.
        /// - Parameters:
        ///   - sizeBytes: its size, holes included.
        ///   - takenAt: when the digest that it was compared with was taken.
        public mutating func add(_ verdict: Verdict, sizeBytes: UInt64, takenAt: Int64?) {
            switch verdict {
            case .equal: equal += 1
            case .written: written += 1
            case .new: new += 1
            case .inUse: inUse += 1
            case .unreadable: unreadable += 1
            case .different: different += 1
            }
            guard verdict == .equal || verdict == .different else { return }
            comparedBytes = Self.sum(comparedBytes, sizeBytes)
            oldestAt = [oldestAt, takenAt].compactMap(\.self).min()
        }

        /// Sparse images may be of any size, and three of them more than a number holds.
        private static func sum(_ one: UInt64, _ other: UInt64) -> UInt64 {
            let (sum, isTooMuch) = one.addingReportingOverflow(other)
            return isTooMuch ? .max : sum
        }

        /// Of both.
        public static func + (left: Counts, right: Counts) -> Counts {
            var sum = left
            sum.equal += right.equal
            sum.written += right.written
            sum.new += right.new
            sum.inUse += right.inUse
            sum.unreadable += right.unreadable
            sum.different += right.different
            sum.comparedBytes = Self.sum(left.comparedBytes, right.comparedBytes)
            sum.oldestAt = [left.oldestAt, right.oldestAt].compactMap(\.self).min()
            return sum
        }
    }

    /// A volume's images.
    public struct Volume: Codable, Equatable, Sendable {
        /// The qube's name.
        public var qube: String
        /// The volume's name.
        public var name: String
        /// What has come of them.
        public var counts: Counts

        /// Makes a volume.
        public init(qube: String, name: String, counts: Counts) {
            self.qube = qube
            self.name = name
            self.counts = counts
        }
    }

    /// An image that holds other bytes, though nobody wrote to it.
    public struct Image: Codable, Equatable, Sendable {
        /// The qube's name.
        public var qube: String
        /// The volume's name.
        public var volume: String
        /// Its path below its pool's directory.
        public var image: String
        /// Its size in bytes, holes included.
        public var sizeBytes: UInt64
        /// When the digest that it was compared with was taken, in seconds since 1970.
        public var takenAt: Int64

        /// Makes one.
        public init(
            qube: String, volume: String, image: String, sizeBytes: UInt64, takenAt: Int64
        ) {
            self.qube = qube
            self.volume = volume
            self.image = image
            self.sizeBytes = sizeBytes
            self.takenAt = takenAt
        }
    }

    /// All images; one that belongs to two volumes counts for both.
    public var total: Counts
    /// Each volume, by the name of its qube.
    public var volumes: [Volume]
    /// How many volumes more there were.
    public var volumesLeftOut: Int
    /// Those that are different, `Limits.namedItems` at most.
    public var different: [Image]
    /// What was read from the disk, unpacked, in bytes: holes are not read.
    public var readBytes: UInt64
    /// What is different was kept as it is now, as somebody asked for; nil is no.
    public var accepted: Bool?

    /// Makes one.
    public init(
        volumes: [Volume], different: [Image], readBytes: UInt64, accepted: Bool? = nil
    ) {
        total = volumes.reduce(Counts()) { $0 + $1.counts }
        self.volumes = volumes
        volumesLeftOut = 0
        self.different = different
        self.readBytes = readBytes
        self.accepted = accepted
    }

    /// It has found what nobody has accepted.
    public var hasDifferences: Bool { total.different > 0 && accepted != true }

    /// As much of it as fits into a line: however many volumes there are, its total stands.
    public func fitting() -> Verification {
        var rows = Limits.verifiedVolumes
        var fitting = naming(volumes: rows)
        while rows > 0, fitting.lengthBytes > Limits.estimateBytes {
            rows /= 2
            fitting = naming(volumes: rows)
        }
        return fitting
    }

    /// As it is sent; more than any bound when it cannot be.
    private var lengthBytes: Int { (try? JSONEncoder().encode(self).count) ?? .max }

    private func naming(volumes most: Int) -> Verification {
        var fitting = self
        fitting.volumes = volumes.prefix(most).map {
            Volume(qube: $0.qube.bounded(), name: $0.name.bounded(), counts: $0.counts)
        }
        fitting.volumesLeftOut = volumesLeftOut + volumes.count - fitting.volumes.count
        fitting.different = different.prefix(Limits.namedItems).map {
            Image(
                qube: $0.qube.bounded(), volume: $0.volume.bounded(), image: $0.image.bounded(),
                sizeBytes: $0.sizeBytes, takenAt: $0.takenAt)
        }
        return fitting
    }

    /// What somebody may know of it: these volumes alone, and how many of their images are what.
    public func ofVolumes(where isKnown: (_ qube: String) -> Bool) -> Verification {
        var known = self
        known.volumes.removeAll { !isKnown($0.qube) }
        known.different.removeAll { !isKnown($0.qube) }
        guard known.volumes.count != volumes.count || volumesLeftOut > 0 else { return known }
        // How many there are that it does not see is none of its business.
        known.total = known.volumes.reduce(Counts()) { $0 + $1.counts }
        known.volumesLeftOut = 0
        known.readBytes = 0
        return known
    }
}

/// The payload of `btrfs.Verify`.
public struct VerifyRequest: StrictRequest, Equatable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// Keep what is different as it is now: dom0 alone may ask for it.
    public var accept: Bool
    /// Go on while the machine runs on battery.
    public var battery: Bool
    /// Of the machine, all but these qubes. nil is none.
    public var exclude: [String]?

    /// Makes a request of the current version.
    public init(accept: Bool, battery: Bool = false, exclude: [String]? = nil) {
        version = .current
        self.accept = accept
        self.battery = battery
        self.exclude = exclude
    }

    /// The request that an empty payload stands for.
    public init() { self.init(accept: false) }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case version, accept, battery, exclude
    }

    /// Reads it strictly; a key that it does not know is an error.
    public init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(ProtocolVersion.self, forKey: .version)
        accept = try values.decodeIfPresent(Bool.self, forKey: .accept) ?? false
        battery = try values.decodeIfPresent(Bool.self, forKey: .battery) ?? false
        exclude = try values.names(forKey: .exclude)
    }

    /// Leaves out what is not asked for: a daemon of another release may not know it.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(version, forKey: .version)
        if accept { try values.encode(true, forKey: .accept) }
        if battery { try values.encode(true, forKey: .battery) }
        try values.encodeIfPresent(exclude, forKey: .exclude)
    }
}
