// SPDX-License-Identifier: GPL-2.0-or-later

/// The payload of `btrfs.Report`: which of the target's qubes. It can only narrow what is
/// reported. What deleting them would free is computed for those that are left, together.
public struct ReportRequest: StrictRequest, Equatable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// These qubes alone.
    public var qubes: [String]?
    /// This template, and what starts from it, alone.
    public var template: String?
    /// Qubes in use alone.
    public var running: Bool
    /// Of the machine, all but these qubes; `dom0` is its own files. nil is none.
    public var exclude: [String]?

    /// Makes a request of the current version.
    public init(
        qubes: [String]? = nil, template: String? = nil, running: Bool = false,
        exclude: [String]? = nil
    ) {
        version = .current
        self.exclude = exclude
        self.qubes = qubes
        self.template = template
        self.running = running
    }

    /// The request that an empty payload stands for.
    public init() { self.init(qubes: nil) }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case version, qubes, template, running, exclude
    }

    /// Reads it strictly; a key that it does not know is an error.
    public init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(ProtocolVersion.self, forKey: .version)
        qubes = try values.names(forKey: .qubes)
        exclude = try values.names(forKey: .exclude)
        template = try values.decodeIfPresent(String.self, forKey: .template)
        running = try values.decodeIfPresent(Bool.self, forKey: .running) ?? false
    }

    /// Leaves out what is not asked for: a daemon of an older release knows the version alone.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(version, forKey: .version)
        try values.encodeIfPresent(qubes, forKey: .qubes)
        try values.encodeIfPresent(template, forKey: .template)
        if running { try values.encode(true, forKey: .running) }
        try values.encodeIfPresent(exclude, forKey: .exclude)
    }
}
