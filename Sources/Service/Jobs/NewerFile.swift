// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol

/// Files that a later release has written, before somebody went back to this one: they are for that
/// release to read again, and nothing here replaces or removes them.
enum NewerFile {
    private struct Versioned: Decodable {
        var version: Int
    }

    /// These bytes are an object of a later version than this release writes.
    static func holds(_ bytes: [UInt8]) -> Bool {
        guard let object = try? JSONDecoder().decode(Versioned.self, from: Data(bytes)) else {
            return false
        }
        return object.version > ProtocolVersion.current.rawValue
    }
}
