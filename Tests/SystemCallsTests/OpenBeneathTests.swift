// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import SystemPackage
import Testing

@Suite("Opening beneath a directory")
struct OpenBeneathTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("inside", to: "file")
        let manager = FileManager.default
        let path = folder.path.string
        try manager.createDirectory(atPath: path + "/below", withIntermediateDirectories: false)
        try folder.write("deep", to: "below/file")
        try manager.createSymbolicLink(atPath: path + "/link", withDestinationPath: "file")
        try manager.createSymbolicLink(atPath: path + "/linked", withDestinationPath: "below")
    }

    func failure(opening path: FilePath) -> Errno? {
        errno { () throws(Errno) in
            _ = try folder.shared.descriptor.open(beneath: path, .readOnly)
        }
    }

    @Test("A file in the directory and one in a directory below open")
    func opensBeneath() throws {
        let file = try folder.shared.descriptor.open(beneath: "file", .readOnly)
        #expect(try file.read(maximumBytes: 100) == Array("inside".utf8))
        let deep = try folder.shared.descriptor.open(beneath: "below/file", .readOnly)
        #expect(try deep.read(maximumBytes: 100) == Array("deep".utf8))
    }

    @Test(
        "A path that leaves the directory is refused, even when it comes back",
        arguments: ["..", "../x", "below/../../x"])
    func refusesParent(path: String) {
        #expect(failure(opening: FilePath(path)) == .improperLink)
    }

    @Test("A path that leaves the directory and comes back is refused")
    func refusesRoundTrip() throws {
        let name = try #require(folder.path.lastComponent).string
        #expect(failure(opening: FilePath("../\(name)/file")) == .improperLink)
    }

    @Test("An absolute path is refused, even to a file beneath")
    func refusesAbsolute() {
        #expect(failure(opening: folder.path.appending("file")) == .improperLink)
    }

    @Test(
        "A link is refused, at the end of the path and on the way",
        arguments: ["link", "linked/file"])
    func refusesLinks(path: String) {
        #expect(failure(opening: FilePath(path)) == .tooManySymbolicLinkLevels)
    }

    @Test("A name that is not there says so")
    func missing() {
        #expect(failure(opening: "nothing") == .noSuchFileOrDirectory)
    }

    @Test("A file is made with the mode that was asked for, less the umask")
    func creates() throws {
        let made = try folder.shared.descriptor.open(
            beneath: "new", [.writeOnly, .create, .exclusive], mode: 0o600)
        #expect(try made.status().mode & 0o777 == 0o600)
        let again = errno { () throws(Errno) in
            _ = try folder.shared.descriptor.open(
                beneath: "new", [.writeOnly, .create, .exclusive])
        }
        #expect(again == .fileExists)
    }
}
