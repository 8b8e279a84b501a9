// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// The checkout that these tests were built from.
enum Checkout {
    /// Its top.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// What a build or a tool leaves there.
    private static let notOurs: Set<String> = [
        ".git", ".build", ".swiftpm", ".local", "stage", "Package.resolved", "LICENSE",
    ]

    /// Every file of ours below a folder, as paths from the top, sorted. Links are left out.
    static func files(under folder: String = "", suffixes: [String] = [""]) -> [String] {
        let manager = FileManager.default
        let top = root.appendingPathComponent(folder).path
        guard let walk = manager.enumerator(atPath: top) else { return [] }
        var found: [String] = []
        for case let path as String in walk {
            let whole = folder.isEmpty ? path : "\(folder)/\(path)"
            if notOurs.contains(path) || whole.hasSuffix(".xunit.xml") {
                walk.skipDescendants()
                continue
            }
            let isFile = walk.fileAttributes?[.type] as? FileAttributeType == .typeRegular
            if isFile, suffixes.contains(where: whole.hasSuffix) { found.append(whole) }
        }
        return found.sorted()
    }

    /// What a file holds.
    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    /// The lines of a file, without the empty one after its last newline.
    static func lines(_ path: String) throws -> [String] { linesOf(try text(path)) }
}

/// The lines of a text, without the empty one after its last newline.
func linesOf(_ text: String) -> [String] {
    var lines = text.components(separatedBy: "\n")
    if lines.last?.isEmpty == true { lines.removeLast() }
    return lines
}

/// How a command ended, and all that it said.
struct CommandResult {
    /// Its exit status.
    var status: Int32
    /// Standard output and standard error.
    var output: String
}

/// Runs a command in the checkout, found through PATH.
func run(_ arguments: [String]) throws -> CommandResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.currentDirectoryURL = Checkout.root
    process.standardInput = FileHandle.nullDevice
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return CommandResult(
        status: process.terminationStatus, output: String(decoding: output, as: UTF8.self))
}

/// A folder of one test, removed with everything in it when the test lets go.
final class ScratchFolder {
    /// Where it is.
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("qubes-btrfs-house-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes a file.
    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path).appendingPathComponent(name))
    }
}
