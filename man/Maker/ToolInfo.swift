// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Client
import FoundationEssentials

/// What the parser of `qvm-btrfs` says of itself: as far as a manual needs it.
struct ToolInfo: Decodable {
    struct Name: Decodable {
        let kind: String
        let name: String

        /// As it is typed.
        var text: String { kind == "long" ? "--\(name)" : "-\(name)" }
    }

    struct Argument: Decodable {
        let kind: String
        let names: [Name]?
        let valueName: String?
        let abstract: String?
        let allValueStrings: [String]?
        let allValues: [String]?
        let defaultValue: String?
        let sectionTitle: String?
        let shouldDisplay: Bool

        /// It stands in the manual by its own name.
        var isNamed: Bool { kind != "positional" && shouldDisplay }
    }

    struct Command: Decodable {
        let commandName: String
        let abstract: String?
        let discussion: String?
        let arguments: [Argument]?
        let subcommands: [Command]?

        var shownArguments: [Argument] { (arguments ?? []).filter(\.shouldDisplay) }
    }

    let command: Command

    /// Asks it, as `qvm-btrfs --experimental-dump-help` would be asked.
    static func read() throws -> ToolInfo {
        let text = answer(to: ["--experimental-dump-help"])
        return try JSONDecoder().decode(ToolInfo.self, from: Data(text.utf8))
    }

    /// How a command is written, by its own help.
    static func usage(_ command: String) -> String {
        let help = answer(to: [command, "--help"])
        let lines = help.split(separator: "\n", omittingEmptySubsequences: false)
        let first = lines.drop { !$0.hasPrefix("USAGE: ") }.prefix { !$0.isEmpty }
        return first.map { $0.trimmingPrefix("USAGE: ") }
            .map { $0.trimmingPrefix(while: \.isWhitespace) }.joined(separator: " ")
    }

    private static func answer(to arguments: [String]) -> String {
        do {
            var parsed = try QvmBtrfs.parseAsRoot(arguments)
            try parsed.run()
            return ""
        } catch {
            return QvmBtrfs.fullMessage(for: error)
        }
    }
}
