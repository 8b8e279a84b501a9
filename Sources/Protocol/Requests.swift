// SPDX-License-Identifier: GPL-2.0-or-later

/// The payload of `btrfs.Report` and of all `btrfs.job.` services: nothing but the version.
public struct PlainRequest: StrictRequest, Equatable {
    /// The version of this message.
    public var version: ProtocolVersion

    /// Makes a request of the current version.
    public init() { version = .current }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable { case version }

    /// Reads it strictly; a key that it does not know is an error.
    public init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(ProtocolVersion.self, forKey: .version)
    }
}

/// The payload of `btrfs.Compress` and `btrfs.Optimize`.
public struct CompressRequest: StrictRequest, Equatable {
    /// The zstd levels that can be asked for.
    public static let levels = 1...19

    /// The version of this message.
    public var version: ProtocolVersion
    /// The zstd level, 1 to 19; without it the qube's feature `btrfs.compress` says, or 3.
    public var level: Int?
    /// Also work on extents that only images of running qubes use.
    public var running: Bool
    /// Go on while the machine runs on battery.
    public var battery: Bool
    /// Work although metadata of the file system is damaged, so that the kernel may set it
    /// read-only: dom0 alone may ask for it. nil is no.
    public var riskReadOnly: Bool?

    /// Makes a request of the current version.
    public init(
        level: Int? = nil, running: Bool = false, battery: Bool = false, riskReadOnly: Bool? = nil
    ) {
        version = .current
        self.level = level
        self.running = running
        self.battery = battery
        self.riskReadOnly = riskReadOnly
    }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case version, level, running, battery, riskReadOnly
    }

    /// Reads it strictly; a key that it does not know is an error.
    public init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(ProtocolVersion.self, forKey: .version)
        level = try values.decodeIfPresent(Int.self, forKey: .level)
        running = try values.decodeIfPresent(Bool.self, forKey: .running) ?? false
        battery = try values.decodeIfPresent(Bool.self, forKey: .battery) ?? false
        riskReadOnly = try values.decodeIfPresent(Bool.self, forKey: .riskReadOnly)
        if let level, !Self.levels.contains(level) {
            throw RequestError.outOfRange(key: "level", allowed: "1 to 19")
        }
    }
}

/// The payload of `btrfs.Dedupe` and `btrfs.Defragment`.
public struct DedupeRequest: StrictRequest, Equatable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// Also work on extents that only images of running qubes use.
    public var running: Bool
    /// Go on while the machine runs on battery.
    public var battery: Bool
    /// Work although metadata of the file system is damaged, so that the kernel may set it
    /// read-only: dom0 alone may ask for it. nil is no.
    public var riskReadOnly: Bool?

    /// Makes a request of the current version.
    public init(
        running: Bool = false, battery: Bool = false, riskReadOnly: Bool? = nil
    ) {
        version = .current
        self.running = running
        self.battery = battery
        self.riskReadOnly = riskReadOnly
    }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case version, running, battery, riskReadOnly
    }

    /// Reads it strictly; a key that it does not know is an error.
    public init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(ProtocolVersion.self, forKey: .version)
        running = try values.decodeIfPresent(Bool.self, forKey: .running) ?? false
        battery = try values.decodeIfPresent(Bool.self, forKey: .battery) ?? false
        riskReadOnly = try values.decodeIfPresent(Bool.self, forKey: .riskReadOnly)
    }
}

/// A request that is read strictly: a key that it does not know is an error, for it may mean
/// something that the sender relies on.
public protocol StrictRequest: Codable, Sendable {
    /// The keys that it knows.
    associatedtype CodingKeys: CodingKey, CaseIterable

    /// The request that an empty payload stands for.
    init()
}

extension StrictRequest {
    static func refuseUnknownKeys(_ decoder: any Decoder) throws {
        let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        let known = CodingKeys.allCases.map(\.stringValue)
        guard keys.allSatisfy(known.contains) else {
            throw RequestError.unknownKey(known: known)
        }
    }
}

extension CompressRequest {
    /// The request that an empty payload stands for.
    public init() { self.init(level: nil) }
}

extension DedupeRequest {
    /// The request that an empty payload stands for.
    public init() { self.init(running: false) }
}

/// Why a payload was refused. The sender's own bytes are in none of them.
public enum RequestError: Error, Equatable, Sendable {
    /// A key that this request does not have; these it has.
    case unknownKey(known: [String])
    /// A value outside its range.
    case outOfRange(key: String, allowed: String)
}

/// A key of any name.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}
