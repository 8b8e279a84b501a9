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

    /// As people read it.
    public var text: String {
        switch self {
        case .qube(let name): name
        case .image(let qube, let volume, let path):
            "\(qube):\(volume)" + (path.map { ", \($0)" } ?? "")
        case .pools(let names): "pool \(names.joined(separator: ", "))"
        case .machine: QubeName.machine
        }
    }
}

extension Subject: Codable {
    private enum Kind: String, Codable { case qube, image, pools, machine }

    private enum CodingKeys: String, CodingKey { case kind, qube, volume, path, pools }

    /// Reads one; a kind that a later release may add is an error.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        switch try values.decode(Kind.self, forKey: .kind) {
        case .qube: self = .qube(try values.decode(String.self, forKey: .qube))
        case .image:
            self = .image(
                qube: try values.decode(String.self, forKey: .qube),
                volume: try values.decode(String.self, forKey: .volume),
                path: try values.decodeIfPresent(String.self, forKey: .path))
        case .pools: self = .pools(try values.decode([String].self, forKey: .pools))
        case .machine: self = .machine
        }
    }

    /// An object with its `kind`.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .qube(let name):
            try values.encode(Kind.qube, forKey: .kind)
            try values.encode(name, forKey: .qube)
        case .image(let qube, let volume, let path):
            try values.encode(Kind.image, forKey: .kind)
            try values.encode(qube, forKey: .qube)
            try values.encode(volume, forKey: .volume)
            try values.encodeIfPresent(path, forKey: .path)
        case .pools(let names):
            try values.encode(Kind.pools, forKey: .kind)
            try values.encode(names, forKey: .pools)
        case .machine: try values.encode(Kind.machine, forKey: .kind)
        }
    }
}
