// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc
import SystemCalls
import SystemPackage
import Testing

@Suite("Owning descriptors")
struct DescriptorTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// How many descriptors of this process stand for a path. Other tests open and close others at
    /// the same time, so numbers prove nothing.
    func openCount(_ path: FilePath) throws -> Int {
        let manager = FileManager.default
        return try manager.contentsOfDirectory(atPath: "/proc/self/fd").count {
            (try? manager.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path.string
        }
    }

    /// Keeps a descriptor alive up to here.
    func use(_ descriptor: borrowing Descriptor) { _ = descriptor.rawValue }

    @Test("A descriptor is open while its owner lives and closed after")
    func closes() throws {
        try folder.write("", to: "file")
        let path = folder.path.appending("file")
        do {
            let file = try Descriptor.open(path, .readOnly)
            #expect(try openCount(path) == 1)
            use(file)
        }
        #expect(try openCount(path) == 0)
    }

    @Test("A duplicate outlives the original")
    func duplicate() throws {
        try folder.write("text", to: "file")
        let path = folder.path.appending("file")
        do {
            let copy = try duplicateOf(path)
            #expect(try openCount(path) == 1)
            #expect(try copy.read(maximumBytes: 10) == Array("text".utf8))
        }
        #expect(try openCount(path) == 0)
    }

    func duplicateOf(_ path: FilePath) throws -> Descriptor {
        let original = try Descriptor.open(path, .readOnly)
        let copy = try original.duplicate()
        #expect(try openCount(path) == 2)
        use(original)
        return copy
    }

    @Test("A shared descriptor closes with its last owner")
    func shared() throws {
        try folder.write("", to: "file")
        let path = folder.path.appending("file")
        var first: SharedDescriptor? = SharedDescriptor(try Descriptor.open(path, .readOnly))
        var second = first
        first = nil
        #expect(try openCount(path) == 1)
        #expect(second != nil && first == nil)
        second = nil
        #expect(try openCount(path) == 0)
    }

    @Test("A pipe carries bytes and ends when its writing end closes")
    func pipe() throws {
        try Descriptor.pipe().split { (reading, writing) throws(Errno) in
            try writing.write([1, 2, 3])
            _ = consume writing
            let bytes = try reading.readToEnd(limitBytes: 10)
            #expect(bytes == [1, 2, 3])
        }
    }

    @Test("A path with a link is opened, but not with noFollow")
    func noFollow() throws {
        try folder.write("text", to: "file")
        let link = folder.path.appending("link")
        try FileManager.default.createSymbolicLink(
            atPath: link.string, withDestinationPath: "file")
        let file = try Descriptor.open(link, .readOnly)
        #expect(try file.read(maximumBytes: 10) == Array("text".utf8))
        let refused = errno { () throws(Errno) in
            _ = try Descriptor.open(link, [.readOnly, .noFollow])
        }
        #expect(refused == .tooManySymbolicLinkLevels)
    }

    func closesOnExec(_ descriptor: borrowing Descriptor) -> Bool {
        fcntl(descriptor.rawValue, F_GETFD) & FD_CLOEXEC != 0
    }

    @Test("Every descriptor is made close-on-exec")
    func closeOnExec() throws {
        try folder.write("", to: "file")
        let file = try folder.shared.descriptor.open(beneath: "file", .readOnly)
        let pipe = try Descriptor.pipe()
        let listening = try UnixSocket.listen(folder.path.appending("socket"), mode: 0o600)
        let client = try UnixSocket.connect(folder.path.appending("socket"))
        let marks = [
            closesOnExec(folder.shared.descriptor), closesOnExec(file),
            closesOnExec(try file.duplicate()), closesOnExec(pipe.first),
            closesOnExec(pipe.second), closesOnExec(listening), closesOnExec(client),
            closesOnExec(try listening.accept()),
        ]
        #expect(marks == [Bool](repeating: true, count: marks.count))
    }
}
