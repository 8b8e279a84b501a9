// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import SystemPackage
import Testing

@Suite("Reading and writing files")
struct FileAccessTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    func make(_ name: String) throws(Errno) -> Descriptor {
        try folder.shared.descriptor.open(beneath: FilePath(name), [.readWrite, .create])
    }

    @Test("The entries of a directory come sorted, without the two dots")
    func sortedEntries() throws {
        for name in ["b", "a", ".hidden", "c", "B", "10", "9"] { try folder.write("", to: name) }
        let names = try folder.shared.descriptor.entries()
        #expect(names == [".hidden", "10", "9", "B", "a", "b", "c"])
        #expect(try folder.shared.descriptor.entries() == names, "a second listing starts anew")
    }

    @Test("The entries of a file cannot be listed")
    func entriesOfFile() throws {
        let file = try make("file")
        #expect(throws: Errno.notDirectory) { try file.entries() }
    }

    @Test("What was written is read back, and the end is an empty read")
    func roundTrip() throws {
        try make("file").write(Array("some text".utf8))
        let file = try make("file")
        #expect(try file.read(maximumBytes: 4) == Array("some".utf8))
        #expect(try file.read(maximumBytes: 100) == Array(" text".utf8))
        #expect(try file.read(maximumBytes: 100) == [])
    }

    @Test("Reading to the end takes exactly the limit, and gives nil one byte beyond")
    func limit() throws {
        let bytes = [UInt8](repeating: 7, count: 200_000)
        try make("file").write(bytes)
        #expect(try make("file").readToEnd(limitBytes: 200_000) == bytes)
        #expect(try make("file").readToEnd(limitBytes: 199_999) == nil)
        #expect(try make("empty").readToEnd(limitBytes: 0) == [])
    }

    @Test("Reads and writes at an offset leave the rest alone and stop at the end of the file")
    func offsets() throws {
        let file = try make("file")
        try file.write(Array("0123456789".utf8))
        try unsafe Array("ab".utf8).withUnsafeBytes { unsafe try file.write($0, atOffset: 3) }
        var buffer = [UInt8](repeating: 0, count: 8)
        let count = try unsafe buffer.withUnsafeMutableBytes {
            unsafe try file.read(into: $0, atOffset: 2)
        }
        #expect(count == 8)
        #expect(buffer == Array("2ab56789".utf8))
        let atEnd = try unsafe buffer.withUnsafeMutableBytes {
            unsafe try file.read(into: $0, atOffset: 7)
        }
        #expect(atEnd == 3)
    }

    @Test("Writing to a descriptor opened for reading fails")
    func readOnly() throws {
        try folder.write("x", to: "file")
        let file = try folder.shared.descriptor.open(beneath: "file", .readOnly)
        #expect(throws: Errno.badFileDescriptor) { try file.write([1]) }
        #expect(try folder.text(of: "file") == "x")
    }

    @Test("The status says size, kind, links and identity, and a cut changes the size")
    func status() throws {
        let file = try make("file")
        try file.write([UInt8](repeating: 1, count: 5000))
        try FileManager.default.linkItem(
            atPath: folder.path.appending("file").string,
            toPath: folder.path.appending("other").string)
        let status = try file.status()
        #expect(status.sizeBytes == 5000)
        #expect(status.isRegularFile && !status.isDirectory)
        #expect(status.links == 2)
        let other = try folder.shared.descriptor.status(ofEntry: "other")
        #expect(other.identity == status.identity)
        try file.truncate(toBytes: 10)
        #expect(try file.status().sizeBytes == 10)
        #expect(try folder.shared.descriptor.status().isDirectory)
    }

    @Test("The status of a link is the link's own")
    func statusOfLink() throws {
        try FileManager.default.createSymbolicLink(
            atPath: folder.path.appending("link").string, withDestinationPath: "nowhere")
        let status = try folder.shared.descriptor.status(ofEntry: "link")
        #expect(!status.isRegularFile && !status.isDirectory)
    }

    @Test("A nameless file holds data and never shows in its directory")
    func nameless() throws {
        let file = try Descriptor.open(folder.path, [.readWrite, .temporary])
        try file.write([1, 2, 3])
        #expect(try file.status().links == 0)
        #expect(try folder.names() == [])
    }

    @Test("Renaming replaces, removing removes, and a directory is not removed as a file")
    func names() throws {
        try folder.write("old", to: "a")
        try folder.write("new", to: "b")
        let directory = folder.shared
        try directory.descriptor.rename(entry: "b", to: "a")
        #expect(try folder.names() == ["a"])
        #expect(try folder.text(of: "a") == "new")
        try directory.descriptor.makeDirectory("d", mode: 0o700)
        #expect(throws: Errno.isDirectory) { try directory.descriptor.remove(entry: "d") }
        try directory.descriptor.remove(entry: "a")
        #expect(try folder.names() == ["d"])
    }

    @Test("What is unlocked is free, also while a child that was just started has it")
    func lock() throws {
        let file = try make("file")
        let other = try make("file")
        try file.lock()
        #expect(throws: Errno.wouldBlock) { try other.lock() }
        let inherited = try file.duplicate()
        try file.unlock()
        try other.lock()
        #expect(throws: Errno.wouldBlock) { try inherited.lock() }
    }
}
