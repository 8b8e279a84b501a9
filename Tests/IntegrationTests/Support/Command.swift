// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// A program that a test runs to its end.
struct Command {
    /// What came of it.
    struct Ending {
        let status: Int32
        let output: String
        let errors: String

        /// The figures behind a name in the output, as `used=`.
        func figure(after name: String) -> UInt64? {
            guard let range = output.range(of: name) else { return nil }
            return UInt64(output[range.upperBound...].prefix { $0.isNumber })
        }
    }

    struct Failed: Error, CustomStringConvertible {
        let command: String
        let ending: Ending
        var description: String { "\(command): \(ending.status): \(ending.errors)" }
    }

    /// Runs a program and gives what it wrote, whatever its status.
    static func run(_ words: [String], input: Data = Data()) throws -> Ending {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = (environment["PATH"] ?? "") + ":/usr/sbin:/sbin"
        environment["LC_ALL"] = "C.UTF-8"
        process.environment = environment
        // Files, not pipes: nothing can fill up and wait for us.
        let folder = FileManager.default.temporaryDirectory
        let name = "qubes-btrfs-command-\(UUID().uuidString)"
        let files = ["in", "out", "err"].map { folder.appendingPathComponent("\(name).\($0)") }
        defer { files.forEach { try? FileManager.default.removeItem(at: $0) } }
        try input.write(to: files[0])
        try Data().write(to: files[1])
        try Data().write(to: files[2])
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        let texts = try files.dropFirst().map {
            String(decoding: try Data(contentsOf: $0), as: UTF8.self)
        }
        return Ending(
            status: process.terminationStatus, output: texts[0], errors: texts[1])
    }

    /// Runs a program that must succeed.
    @discardableResult
    static func check(_ words: String...) throws -> Ending {
        let ending = try run(words)
        if ending.status != 0 {
            throw Failed(command: words.joined(separator: " "), ending: ending)
        }
        return ending
    }

    /// One of our own programs, built beside this test; or in the folder that PROGRAMS names, as
    /// installed ones and those of another release.
    static func program(_ name: String) -> String {
        if let folder = ProcessInfo.processInfo.environment["PROGRAMS"] {
            return "\(folder)/\(name)"
        }
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appendingPathComponent(name).path
    }
}
