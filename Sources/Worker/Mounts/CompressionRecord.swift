// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// What was set, to be taken back: written before it is set, so that whatever ends us in between
/// leaves a record of more than was done, never of less.
struct CompressionRecord: Codable, Equatable {
    /// A file system that had no option of compression.
    struct Entry: Codable, Equatable {
        /// Its UUID.
        var fileSystem: String
        /// What we have set there, the last one last: of these one is in force, or somebody else's.
        var options: [String]
    }

    /// Why it could not be read or written.
    struct Failure: Error, CustomStringConvertible {
        let path: String
        let reason: String
        var description: String {
            "\(path) cannot be used: \(reason). It says what to take back when the service stops:"
                + " nothing is done without it."
        }
    }

    /// The longest file, in bytes: 256 pools on file systems of their own.
    static let limitBytes = 64 * 1024

    /// The version of this file.
    var version = ProtocolVersion.current
    /// In no order.
    var entries: [Entry] = []

    /// This option was set by us on this file system.
    func has(_ option: String, on fileSystem: String) -> Bool {
        entries.contains { $0.fileSystem == fileSystem && $0.options.contains(option) }
    }

    /// Adds an option that is about to be set.
    mutating func add(_ option: String, on fileSystem: String) {
        guard let index = entries.firstIndex(where: { $0.fileSystem == fileSystem }) else {
            return entries.append(Entry(fileSystem: fileSystem, options: [option]))
        }
        entries[index].options.removeAll { $0 == option }
        entries[index].options.append(option)
    }

    /// Reads it; empty where there is none.
    static func read(_ path: FilePath) throws(Failure) -> CompressionRecord {
        let bytes: [UInt8]?
        do throws(Errno) {
            let file = try Descriptor.open(path, [.readOnly, .noFollow, .nonBlocking])
            bytes = try file.readToEnd(limitBytes: limitBytes)
        } catch .noSuchFileOrDirectory {
            return CompressionRecord()
        } catch {
            throw Failure(path: path.string, reason: "\(error)")
        }
        guard let bytes,
            let record = try? JSONDecoder().decode(CompressionRecord.self, from: Data(bytes))
        else { throw Failure(path: path.string, reason: "it is not of this program's making") }
        return record
    }

    /// Writes it; once this returns it is there. An empty one is no file.
    func write(_ path: FilePath) throws(Failure) {
        guard let bytes = try? [UInt8](JSONEncoder().encode(self)),
            let name = path.lastComponent?.string
        else { throw Failure(path: path.string, reason: "it has no name") }
        do throws(Errno) {
            let folder = try Descriptor.open(path.removingLastComponent(), [.readOnly, .directory])
            if !entries.isEmpty { return try folder.replace(entry: name, with: bytes) }
            try folder.remove(entry: name)
        } catch .noSuchFileOrDirectory where entries.isEmpty {
        } catch {
            throw Failure(path: path.string, reason: "\(error)")
        }
    }
}
