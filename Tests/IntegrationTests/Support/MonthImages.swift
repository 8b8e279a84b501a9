// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// Images of qubes as qubesd's driver lays them out and changes them, and what they have to hold.
final class MonthImages {
    private let fileSystem: LoopFileSystem
    private var expected: [String: Data] = [:]

    init(_ fileSystem: LoopFileSystem) { self.fileSystem = fileSystem }

    /// A template's root, and a qube's private volume, below the pool.
    static func root(_ qube: String) -> String { "vm-templates/\(qube)/root" }
    static func own(_ qube: String) -> String { "appvms/\(qube)/private" }

    /// An image with this content, as a new or restored qube has it.
    func make(_ volume: String, _ data: Data) throws {
        try Files.write(data, to: fileSystem.image(volume + ".img"))
        expected[volume + ".img"] = data
    }

    /// A qube runs, writes over a part of its volume, and stops: what it has written is committed,
    /// and what was there before becomes the revision.
    func change(_ volume: String, atOffset offset: Int, with data: Data, at moment: String) throws {
        let clean = volume + ".img"
        let dirty = volume + "-dirty.img"
        let precache = volume + "-precache.img"
        var content = try #require(expected[clean])
        if expected.removeValue(forKey: precache) != nil {
            try rename(precache, dirty)
        } else {
            try Files.clone(fileSystem.image(clean), to: fileSystem.image(dirty))
        }
        try Files.overwrite(fileSystem.image(dirty), atOffset: UInt64(offset), with: data)
        for old in expected.keys where old.hasPrefix(clean + ".") { try remove(old) }
        let date = moment.replacingOccurrences(of: " ", with: "T") + "Z"
        let revision = "\(clean).1@\(date)"
        try Files.clone(fileSystem.image(clean), to: fileSystem.image(revision))
        expected[revision] = content
        try rename(dirty, clean)
        content.replaceSubrange(offset..<offset + data.count, with: data)
        expected[clean] = content
        try Files.clone(fileSystem.image(clean), to: fileSystem.image(precache))
        expected[precache] = content
    }

    /// A qube and all of its volume is gone.
    func remove(qube: String) throws {
        for name in expected.keys where name.hasPrefix("appvms/\(qube)/") { try remove(name) }
        try FileManager.default.removeItem(atPath: fileSystem.image("appvms/\(qube)"))
    }

    private func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: fileSystem.image(name))
        expected[name] = nil
    }

    private func rename(_ name: String, _ newName: String) throws {
        try Command.check("mv", fileSystem.image(name), fileSystem.image(newName))
    }

    /// The images that do not hold, byte for byte, what was written.
    func changed() throws -> [String] {
        try expected.keys.sorted().filter { name in
            try Data(contentsOf: URL(fileURLWithPath: fileSystem.image(name))) != expected[name]
        }
    }

    var count: Int { expected.count }
}
