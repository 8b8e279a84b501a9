// SPDX-License-Identifier: GPL-2.0-or-later

/// What a problem or a finding is about. Who may read it is judged by this, never by its text.
public enum Subject: Equatable, Hashable, Sendable {
    /// A qube as a whole.
    case qube(String)
    /// A file of a qube's volume, by its path below the pool's directory; or the volume itself.
    case image(qube: String, volume: String, path: String?)
    /// Pools that lie on one file system.
    case pools([String])
    /// The machine: its kernel, its own files, how a file system of it is mounted.
    case machine
    /// Of a kind that a later release has: nobody but dom0 may read about it.
    case other(kind: String)

    /// As people read it.
    public var text: String {
        switch self {
        case .qube(let name): name
        case .image(let qube, let volume, let path):
            "\(qube):\(volume)" + (path.map { ", \($0)" } ?? "")
        case .pools(let names): "pool \(names.joined(separator: ", "))"
        case .machine: QubeName.machine
        case .other(let kind): kind
        }
    }
}

extension Subject: Codable {
    private enum Kind: String { case qube, image, pools, machine }

    private enum CodingKeys: String, CodingKey { case kind, qube, volume, path, pools }

    /// Reads one; of a kind that a later release may add, the kind alone.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let kind = try values.decode(String.self, forKey: .kind)
        switch Kind(rawValue: kind) {
        case .qube: self = .qube(try values.decode(String.self, forKey: .qube))
        case .image:
            self = .image(
                qube: try values.decode(String.self, forKey: .qube),
                volume: try values.decode(String.self, forKey: .volume),
                path: try values.decodeIfPresent(String.self, forKey: .path))
        case .pools: self = .pools(try values.decode([String].self, forKey: .pools))
        case .machine: self = .machine
        case nil: self = .other(kind: kind)
        }
    }

    /// An object with its `kind`.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .qube(let name):
            try values.encode(Kind.qube.rawValue, forKey: .kind)
            try values.encode(name, forKey: .qube)
        case .image(let qube, let volume, let path):
            try values.encode(Kind.image.rawValue, forKey: .kind)
            try values.encode(qube, forKey: .qube)
            try values.encode(volume, forKey: .volume)
            try values.encodeIfPresent(path, forKey: .path)
        case .pools(let names):
            try values.encode(Kind.pools.rawValue, forKey: .kind)
            try values.encode(names, forKey: .pools)
        case .machine: try values.encode(Kind.machine.rawValue, forKey: .kind)
        case .other(let kind): try values.encode(kind, forKey: .kind)
        }
    }
}
