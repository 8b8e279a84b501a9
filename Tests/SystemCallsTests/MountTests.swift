// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemPackage
import Testing

@testable import SystemCalls

@Suite("The table of mounts")
struct MountTests {
    private static let line =
        #"47 27 0:39 /s /mnt/a\040b\134c ro,noatime shared:3 master:1 - btrfs /dev/loop0 "#
        + "rw,compress=zstd:1,subvolid=256,subvol=/s"

    @Test("Options of the mount and of its file system are told apart")
    func options() throws {
        let mount = try #require(Mount(line: Self.line))
        #expect(Self.line.contains(" \(mount.device) "))
        #expect(mount.identifier == 47 && mount.kind == "btrfs")
        #expect(
            mount.fileSystemOptions == ["rw", "compress=zstd:1", "subvolid=256", "subvol=/s"])
        #expect(mount.options == ["ro", "noatime"] + mount.fileSystemOptions)
    }

    @Test(
        "A path has its blanks and backslashes again, and what is no escape stays",
        arguments: [
            (#"/mnt/a\040b\134c"#, #"/mnt/a b\c"#), (#"/a\011\012"#, "/a\t\n"), ("/", "/"),
            (#"/a\0"#, #"/a\0"#), (#"/a\999"#, #"/a\999"#), (#"/a\777"#, #"/a\777"#),
            (#"/\303\244"#, "/ä"),
        ])
    func path(point: String, expected: String) throws {
        let line = Self.line.replacing(#"/mnt/a\040b\134c"#, with: point)
        #expect(try #require(Mount(line: line)).path == FilePath(expected))
    }

    @Test("The table has the mount that a file is on")
    func all() throws {
        // The root of a program that was given another one need not be a mount's.
        let processes = try Descriptor.open("/proc", [.readOnly, .directory])
        let mount = try #require(try processes.mount())
        #expect(mount.path == "/proc")
        #expect(Mount.all.contains(mount))
    }

    @Test("Options of what is mounted are set at its root alone")
    func notARoot() throws {
        let folder = try Descriptor.open("/proc/self", [.readOnly, .directory])
        #expect(throws: Errno.self) { try folder.setFileSystemOptions(["hidepid=0"]) }
    }

    @Test("An entry is replaced as a whole, with its own mode, and a directory is removed")
    func replace() throws {
        let path = FileManager.default.temporaryDirectory.path + "/replace-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = try Descriptor.open(FilePath(path), [.readOnly, .directory])
        try folder.replace(entry: "a", with: Array("one".utf8))
        try folder.replace(entry: "a", with: Array("2".utf8))
        #expect(try String(contentsOfFile: path + "/a", encoding: .utf8) == "2")
        #expect(try folder.entries() == ["a"])
        #expect(try folder.status(ofEntry: "a").mode & 0o777 == 0o600)
        try folder.makeDirectory("d", mode: 0o700)
        #expect(throws: Errno.self) { try folder.remove(directory: "a") }
        try folder.remove(directory: "d")
        #expect(try folder.entries() == ["a"])
    }
}
