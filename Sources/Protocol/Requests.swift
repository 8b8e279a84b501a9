// SPDX-License-Identifier: GPL-2.0-or-later

/// The payload of all `btrfs.job.` services: nothing but the version.
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
public struct CompressRequest: TimedRequest, Equatable {
    /// The zstd levels that can be asked for, fastest first. Those below 0 are as the kernel has
    /// them since 6.15; every kernel unpacks what they pack.
    public static let levels = Array(-15 ... -1) + Array(1...19)
    /// The level that asks for content as it is, of `btrfs.Compress` alone.
    public static let plainLevel = 0

    /// The version of this message.
    public var version: ProtocolVersion
    /// The zstd level, one of `levels`, or `plainLevel`; without it the qube's feature
    /// `btrfs.compress` says, or 3.
    public var level: Int?
    /// Also work on extents that only images of running qubes use.
    public var running: Bool
    /// Go on while the machine runs on battery.
    public var battery: Bool
    /// Work although metadata of the file system is damaged, so that the kernel may set it
    /// read-only: dom0 alone may ask for it. nil is no.
    public var riskReadOnly: Bool?
    /// Of the machine, all but these qubes; `dom0` is its own files. nil is none.
    public var exclude: [String]?
    /// What the job may take; nil is as long as it needs.
    public var time: TimeLimit?

    /// Makes a request of the current version.
    public init(
        level: Int? = nil, running: Bool = false, battery: Bool = false, riskReadOnly: Bool? = nil,
        exclude: [String]? = nil, time: TimeLimit? = nil
    ) {
        version = .current
        self.time = time
        self.exclude = exclude
        self.level = level
        self.running = running
        self.battery = battery
        self.riskReadOnly = riskReadOnly
    }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case version, level, running, battery, riskReadOnly, exclude, forSeconds, waitCounts
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
        exclude = try values.names(forKey: .exclude)
        time = try values.timeLimit(.forSeconds, .waitCounts)
        if let level, level != Self.plainLevel, !Self.levels.contains(level) {
            throw RequestError.outOfRange(key: "level", allowed: "-15 to 19")
        }
    }

    /// Leaves out what is not asked for: a daemon of an older release may not know it.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(version, forKey: .version)
        try values.encodeIfPresent(level, forKey: .level)
        if running { try values.encode(true, forKey: .running) }
        if battery { try values.encode(true, forKey: .battery) }
        if riskReadOnly == true { try values.encode(true, forKey: .riskReadOnly) }
        try values.encodeIfPresent(exclude, forKey: .exclude)
        try values.encode(time, .forSeconds, .waitCounts)
    }
}

/// The payload of `btrfs.Dedupe`, `btrfs.Defragment` and `btrfs.Sparsify`.
public struct DedupeRequest: TimedRequest, Equatable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// Also work on extents that only images of running qubes use.
    public var running: Bool
    /// Go on while the machine runs on battery.
    public var battery: Bool
    /// Work although metadata of the file system is damaged, so that the kernel may set it
    /// read-only: dom0 alone may ask for it. nil is no.
    public var riskReadOnly: Bool?
    /// Of the machine, all but these qubes; `dom0` is its own files. nil is none.
    public var exclude: [String]?
    /// What the job may take; nil is as long as it needs.
    public var time: TimeLimit?

    /// Makes a request of the current version.
    public init(
        running: Bool = false, battery: Bool = false, riskReadOnly: Bool? = nil,
        exclude: [String]? = nil, time: TimeLimit? = nil
    ) {
        version = .current
        self.time = time
        self.exclude = exclude
        self.running = running
        self.battery = battery
        self.riskReadOnly = riskReadOnly
    }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case version, running, battery, riskReadOnly, exclude, forSeconds, waitCounts
    }

    /// Reads it strictly; a key that it does not know is an error.
    public init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(ProtocolVersion.self, forKey: .version)
        running = try values.decodeIfPresent(Bool.self, forKey: .running) ?? false
        battery = try values.decodeIfPresent(Bool.self, forKey: .battery) ?? false
        riskReadOnly = try values.decodeIfPresent(Bool.self, forKey: .riskReadOnly)
        exclude = try values.names(forKey: .exclude)
        time = try values.timeLimit(.forSeconds, .waitCounts)
    }

    /// Leaves out what is not asked for: a daemon of an older release may not know it.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(version, forKey: .version)
        if running { try values.encode(true, forKey: .running) }
        if battery { try values.encode(true, forKey: .battery) }
        if riskReadOnly == true { try values.encode(true, forKey: .riskReadOnly) }
        try values.encodeIfPresent(exclude, forKey: .exclude)
        try values.encode(time, .forSeconds, .waitCounts)
    }
}

/// The payload of `btrfs.Check`.
public struct CheckRequest: StrictRequest, Equatable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// Of the machine, the images of all but these qubes. nil is none.
    public var exclude: [String]?

    /// Makes a request of the current version.
    public init(exclude: [String]?) {
        version = .current
        self.exclude = exclude
    }

    /// The request that an empty payload stands for.
    public init() { self.init(exclude: nil) }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable { case version, exclude }

    /// Reads it strictly; a key that it does not know is an error.
    public init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(ProtocolVersion.self, forKey: .version)
        exclude = try values.names(forKey: .exclude)
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

extension KeyedDecodingContainer {
    /// Names of qubes, not more than `Limits.requestNames`, and not none.
    func names(forKey key: Key) throws -> [String]? {
        let names = try decodeIfPresent([String].self, forKey: key)
        if let names, !(1...Limits.requestNames).contains(names.count) {
            throw RequestError.outOfRange(
                key: key.stringValue, allowed: "1 to \(Limits.requestNames) names")
        }
        return names
    }
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
