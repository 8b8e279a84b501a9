// SPDX-License-Identifier: GPL-2.0-or-later

/// What becomes of what a volume's qube writes from now on.
public struct NewData: Codable, Equatable, Sendable {
    /// What decides it.
    public enum Reason: Word {
        /// Mount option `compress-force`: all of it, whatever the flags.
        case mountForce
        /// Mount option `compress`.
        case mount
        /// The image's flag `c`, or the property it has been made with.
        case flag
        /// Nothing asks for it.
        case nothing
        /// The image's flag `m`: not compressed.
        case noCompressFlag
        /// NOCOW (flag `C`): it cannot be.
        case nocow
        /// The loop device writes past the page cache, which this kernel does not compress.
        case directIO
        /// Of a later release.
        case unknown(String)

        /// Those that this release knows.
        public static let allCases: [Self] = [
            .mountForce, .mount, .flag, .nothing, .noCompressFlag, .nocow, .directIO,
        ]

        /// As it is written.
        public var rawValue: String {
            switch self {
            case .mountForce: "mount-force"
            case .mount: "mount"
            case .flag: "flag"
            case .nothing: "nothing"
            case .noCompressFlag: "flag-m"
            case .nocow: "nocow"
            case .directIO: "direct-io"
            case .unknown(let word): word
            }
        }
    }

    /// New writes are compressed where they shrink; nil while there is no image to write to.
    public var isCompressed: Bool?
    /// What decides it.
    public var reason: Reason
    /// So will be what is written to images that are made from now on.
    public var isCompressedLater: Bool
    /// The property `btrfs.compression` of the images' directory, which new images inherit.
    public var directoryProperty: String?

    /// Makes one.
    public init(
        isCompressed: Bool?, reason: Reason, isCompressedLater: Bool, directoryProperty: String?
    ) {
        self.isCompressed = isCompressed
        self.reason = reason
        self.isCompressedLater = isCompressedLater
        self.directoryProperty = directoryProperty
    }
}

/// What is wanted for the images that are made from now on.
public enum NewDataSetting: String, Codable, Sendable, CaseIterable {
    /// Compress with zstd.
    case zstd
    /// Do not compress, even if the mount options say so.
    case off
    /// As the mount options say.
    case inherit = "default"
}

/// The payload of `btrfs.NewData`.
public struct NewDataRequest: StrictRequest, Equatable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// What is wanted; without it nothing is changed.
    public var compress: NewDataSetting?

    /// Makes a request of the current version.
    public init(compress: NewDataSetting?) {
        version = .current
        self.compress = compress
    }

    /// The request that an empty payload stands for.
    public init() { self.init(compress: nil) }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable { case version, compress }

    /// Reads it strictly; a key that it does not know is an error.
    public init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(ProtocolVersion.self, forKey: .version)
        let untrusted = try values.decodeIfPresent(String.self, forKey: .compress)
        compress = untrusted.flatMap(NewDataSetting.init)
        if untrusted != nil, compress == nil {
            throw RequestError.outOfRange(key: "compress", allowed: "zstd, off or default")
        }
    }
}

/// The reply of `btrfs.NewData`, after what was asked for was done.
public struct NewDataReply: Codable, Equatable, Sendable {
    /// One volume.
    public struct Volume: Codable, Equatable, Sendable {
        /// Its name.
        public var name: String
        /// What becomes of what is written to it.
        public var newData: NewData

        /// Makes a volume.
        public init(name: String, newData: NewData) {
            self.name = name
            self.newData = newData
        }
    }

    /// The version of this message.
    public var version: ProtocolVersion
    /// The qube's volumes.
    public var volumes: [Volume]

    /// Makes a reply.
    public init(volumes: [Volume]) {
        version = .current
        self.volumes = volumes
    }
}
