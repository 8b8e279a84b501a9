// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import SystemPackage

/// A folder of one test, removed with everything in it when the test lets go.
final class TemporaryFolder: Sendable {
    /// Where it is.
    let path: FilePath
    /// The folder itself.
    let shared: SharedDescriptor

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("qubes-btrfs-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        path = FilePath(url.path)
        shared = SharedDescriptor(try Descriptor.open(path, [.readOnly, .directory]))
    }

    deinit { try? FileManager.default.removeItem(atPath: path.string) }

    /// Writes a file.
    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path.appending(name).string))
    }

    /// What a file holds.
    func text(of name: String) throws -> String {
        let file = try Descriptor.open(path.appending(name), .readOnly)
        return String(decoding: try file.readToEnd(limitBytes: 1 << 20) ?? [], as: UTF8.self)
    }

    /// The names in it, sorted by Foundation and not by the code under test.
    func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path.string).sorted()
    }
}

/// How long a thread waits for another before the test has failed: far longer than any takes.
let patienceSeconds = 60.0

/// The errno that a call fails with, or nil when it succeeds.
func errno(of call: () throws(Errno) -> Void) -> Errno? {
    do {
        try call()
        return nil
    } catch {
        return error
    }
}
