// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// What every file of a file system holds, kept outside of it.
final class TortureModel {
    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    /// A file under all of its names.
    final class Node {
        var content = Data()
        var stamp: TortureStamp
        var isNoCow: Bool

        init(_ content: Data, _ stamp: TortureStamp, isNoCow: Bool) {
            self.content = content
            self.stamp = stamp
            self.isNoCow = isNoCow
        }
    }

    let disk: TortureDisk
    /// By path below the file system's root.
    private(set) var files: [String: Node] = [:]
    /// Where subvolumes lie; the root is "".
    private(set) var subvolumes: [String] = [""]
    private(set) var readOnly: Set<String> = []
    private(set) var comparedBytes = 0

    init(_ disk: TortureDisk) { self.disk = disk }

    func path(_ name: String) -> String { disk.path + "/" + name }

    // MARK: What changes

    func add(_ name: String, _ content: Data, isNoCow: Bool) throws {
        files[name] = Node(content, try TortureStamp(path(name)), isNoCow: isNoCow)
    }

    /// Takes down what a file is now, after its owner has changed it.
    func note(_ name: String) throws { files[name]?.stamp = try TortureStamp(path(name)) }

    func rename(_ name: String, to other: String) throws {
        guard let node = files.removeValue(forKey: name) else { return }
        let replaced = files[other]
        files[other] = node
        try note(other)
        if let replaced { try noteOtherNames(of: replaced) }
    }

    func link(_ name: String, to other: String) throws {
        files[other] = files[name]
        try note(name)
    }

    func remove(_ name: String) throws {
        if let node = files.removeValue(forKey: name) { try noteOtherNames(of: node) }
    }

    private func noteOtherNames(of node: Node) throws {
        if let name = files.first(where: { $0.value === node })?.key { try note(name) }
    }

    func addSubvolume(_ name: String) { subvolumes.append(name) }

    /// The files of one subvolume, once more below another name.
    func addSnapshot(_ name: String, of subvolume: String, isReadOnly: Bool) throws {
        let names = files.keys.filter { self.subvolume(of: $0) == subvolume }
        var copies: [ObjectIdentifier: Node] = [:]
        for file in names {
            guard let node = files[file] else { continue }
            let below = subvolume.isEmpty ? file : String(file.dropFirst(subvolume.count + 1))
            let copy =
                copies[ObjectIdentifier(node)]
                ?? Node(node.content, node.stamp, isNoCow: node.isNoCow)
            copies[ObjectIdentifier(node)] = copy
            files[name + "/" + below] = copy
        }
        subvolumes.append(name)
        if isReadOnly { readOnly.insert(name) }
    }

    func removeSubvolume(_ name: String) {
        files = files.filter { !$0.key.hasPrefix(name + "/") }
        subvolumes.removeAll { $0 == name }
        readOnly.remove(name)
    }

    // MARK: What is asked

    /// The innermost subvolume that a file lies in.
    func subvolume(of file: String) -> String {
        subvolumes.filter { $0.isEmpty || file.hasPrefix($0 + "/") }.max { $0.count < $1.count }
            ?? ""
    }

    /// All names that may be written to, in an order that is the same on every run.
    var writable: [String] {
        files.keys.filter { !readOnly.contains(subvolume(of: $0)) }.sorted()
    }

    func names(startingWith start: String) -> [String] {
        files.keys.filter { $0.hasPrefix(start) }.sorted()
    }

    // MARK: The comparison

    /// A part of one file, as it is now.
    func compare(_ name: String, _ range: Range<Int>) throws {
        guard let node = files[name] else { return }
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path(name)))
        defer { try? handle.close() }
        try handle.seek(toOffset: UInt64(range.lowerBound))
        let found = try handle.read(upToCount: range.count) ?? Data()
        try demand(found, Data(node.content[range]), "\(name) from \(range.lowerBound)")
    }

    private func demand(_ found: Data, _ expected: Data, _ what: String) throws {
        comparedBytes += expected.count
        guard found != expected else { return }
        let place = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        throw Broken(
            description: "\(what): \(found.count) bytes of \(expected.count), the first that"
                + " differs is \(place.map(String.init) ?? "behind the end")")
    }

    /// Every name, stamp and byte of the file system.
    func compare() throws {
        let found = try Command.check("find", disk.path, "-type", "f", "-printf", "%P\\n").output
            .split(separator: "\n").map(String.init)
        let strays = Set(found).symmetricDifference(files.keys)
        guard strays.isEmpty else {
            throw Broken(description: "stray or missing: \(strays.sorted())")
        }
        for (name, node) in files.sorted(by: { $0.key < $1.key }) {
            let stamp = try TortureStamp(path(name))
            guard stamp == node.stamp else {
                throw Broken(description: "\(name): \(stamp), not \(node.stamp)")
            }
            try demand(
                try Data(contentsOf: URL(fileURLWithPath: path(name))), node.content, name)
        }
    }
}
