// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage

/// What `setup` has changed, and how it was before: written before anything is changed, so that
/// whatever ends the program in between, `--undo` finds all of it.
struct SetupRecord: Codable, Equatable {
    /// A unit that `setup` has turned on.
    struct Unit: Codable, Equatable {
        var name: String
        var wasEnabled: Bool
        var wasActive: Bool
    }

    /// The longest file, in bytes.
    static let limitBytes = 64 * 1024

    /// The version of this file.
    var version = ProtocolVersion.current
    /// The units, in the order in which they were turned on.
    var units: [Unit] = []
    /// The directory that the file is in was made for it.
    var madeDirectory = false

    /// How a unit was before `setup` first touched it; nil where it has not.
    func standing(of unit: SetupUnit) -> UnitStanding? {
        units.first { $0.name == unit.rawValue }
            .map { UnitStanding(isEnabled: $0.wasEnabled, isActive: $0.wasActive) }
    }

    /// Adds what is about to be turned on. What was so before the first time is what counts: who
    /// calls it twice takes both back.
    mutating func add(_ steps: [SetupStep], _ standings: [SetupUnit: UnitStanding]) {
        for step in steps {
            guard let unit = SetupUnit(rawValue: step.unit), let standing = standings[unit],
                self.standing(of: unit) == nil
            else { continue }
            units.append(
                Unit(
                    name: unit.rawValue, wasEnabled: standing.isEnabled,
                    wasActive: standing.isActive))
        }
    }
}

/// Where the record is kept.
struct SetupStore {
    private static let name = "setup.json"

    /// The daemon's own state directory, which may not be there yet.
    let directory: FilePath

    private var path: FilePath { directory.appending(Self.name) }

    /// What was done; nil where nothing was.
    func read() throws(ClientError) -> SetupRecord? {
        let bytes: [UInt8]?
        do throws(Errno) {
            let file = try Descriptor.open(path, [.readOnly, .noFollow, .nonBlocking])
            bytes = try file.readToEnd(limitBytes: SetupRecord.limitBytes)
        } catch .noSuchFileOrDirectory {
            return nil
        } catch {
            throw .file(path.string, error)
        }
        guard let bytes,
            let record = try? JSONDecoder().decode(SetupRecord.self, from: Data(bytes)),
            record.version == .current
        else { throw .notASetup(path.string) }
        return record
    }

    /// Keeps it; once this returns, a power cut does not lose it.
    /// - Returns: the record as it was kept: it says whether the directory was made for it.
    @discardableResult
    func write(_ record: SetupRecord) throws(ClientError) -> SetupRecord {
        var record = record
        do throws(Errno) {
            let parent = try Descriptor.open(
                directory.removingLastComponent(), [.readOnly, .directory])
            do throws(Errno) {
                try parent.makeDirectory(name(of: directory), mode: 0o700)
                record.madeDirectory = true
            } catch .fileExists {
            }
        } catch {
            throw .file(directory.string, error)
        }
        let text = try JSONText.plain(record)
        do throws(Errno) {
            let folder = try Descriptor.open(directory, [.readOnly, .directory])
            try folder.replace(entry: Self.name, with: Array(text.utf8))
        } catch {
            throw .file(path.string, error)
        }
        return record
    }

    /// Removes it, and the directory with it where that was made for it and holds nothing else.
    func remove(_ record: SetupRecord) throws(ClientError) {
        do throws(Errno) {
            let folder = try Descriptor.open(directory, [.readOnly, .directory])
            try folder.remove(entry: Self.name)
            guard record.madeDirectory, try folder.entries().isEmpty else { return }
            let parent = try Descriptor.open(
                directory.removingLastComponent(), [.readOnly, .directory])
            try parent.remove(directory: name(of: directory))
        } catch .noSuchFileOrDirectory {
        } catch {
            throw .file(path.string, error)
        }
    }

    private func name(of path: FilePath) -> String { path.lastComponent?.string ?? "" }
}
