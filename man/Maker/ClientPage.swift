// SPDX-License-Identifier: GPL-2.0-or-later

/// `qvm-btrfs(1)`: one page for all commands. Most options are those of several of them, and a word
/// is found in one page by a search.
struct ClientPage {
    private let documents: Documents
    private let tool: ToolInfo.Command
    /// The names of the options that every command has.
    private let common: Set<String>

    init(_ documents: Documents) throws {
        self.documents = documents
        tool = try ToolInfo.read().command
        let commands = (tool.subcommands ?? []).filter { $0.commandName != "help" }
        var common = commands.first.map(Self.names) ?? []
        for command in commands { common.formIntersection(Self.names(command)) }
        self.common = common
    }

    private static func names(_ command: ToolInfo.Command) -> Set<String> {
        Set(command.shownArguments.filter(\.isNamed).compactMap { $0.names?.last?.text })
    }

    private var commands: [ToolInfo.Command] {
        (tool.subcommands ?? []).filter { $0.commandName != "help" }
    }

    func text() throws -> String {
        var page = Roff("qvm-btrfs", section: 1, source: Manual.source)
        let summary = tool.abstract ?? ""
        page.name(
            ["qvm-btrfs"],
            Roff.escaped(summary.prefix(1).lowercased() + summary.dropFirst().prefix { $0 != "." }))
        page.section("Synopsis")
        page.lines(commands.map { Self.command(ToolInfo.usage($0.commandName)) })
        try description(&page)
        page.section("Commands")
        for command in commands { describe(command, on: &page) }
        page.section("Options of every command")
        for argument in commands.first?.shownArguments ?? [] where isCommon(argument) {
            option(argument, on: &page)
        }
        try words(&page)
        try ending(&page)
        return page.text
    }

    private func description(_ page: inout Roff) throws {
        page.section("Description")
        page.blocks(try documents.client.section(""))
        // Exit statuses and examples have sections of their own.
        for paragraph in paragraphs(tool.discussion)
        where !paragraph.hasPrefix("Exit status: ") && !paragraph.hasPrefix("Example: ") {
            page.paragraph(paragraph)
        }
        let commands = try documents.client.section("Commands")
        page.blocks(
            commands.filter { block in
                if case .paragraph = block { true } else { false }
            })
    }

    private func paragraphs(_ text: String?) -> [String] {
        (text ?? "").split(separator: "\n\n").map { String($0.replacing("\n", with: " ")) }
    }

    private static func command(_ text: String) -> String { "`\(text)`" }

    private func isCommon(_ argument: ToolInfo.Argument) -> Bool {
        argument.names?.last.map { common.contains($0.text) } ?? false
    }

    private func describe(_ command: ToolInfo.Command, on page: inout Roff) {
        page.subsection(command.commandName)
        page.paragraph(Self.command(ToolInfo.usage(command.commandName)))
        page.paragraph(command.abstract ?? "")
        for paragraph in paragraphs(command.discussion) {
            if paragraph.hasPrefix("Example: ") {
                page.example([String(paragraph.dropFirst("Example: ".count))])
            } else {
                page.paragraph(paragraph)
            }
        }
        for argument in command.shownArguments where !isCommon(argument) {
            option(argument, on: &page)
        }
    }

    private func option(_ argument: ToolInfo.Argument, on page: inout Roff) {
        let value = argument.valueName.map { "*\($0.uppercased())*" } ?? ""
        var said = argument.abstract ?? ""
        if let values = argument.allValueStrings ?? argument.allValues {
            said += " One of \(values.map { "`\($0)`" }.joined(separator: ", "))."
        }
        if let initial = argument.defaultValue { said += " Without it `\(initial)`." }
        guard argument.isNamed, let names = argument.names else {
            return page.item(value, said)
        }
        let words = names.map { "`\($0.text)`" }.joined(separator: ", ")
        page.item(argument.kind == "option" ? "\(words) \(value)" : words, said)
    }

    private func words(_ page: inout Roff) throws {
        let sections = [
            "The ways to show a report", "The words of a report", "The words of an estimate",
            "Verify", "Check", "Damage", "New data", "Holes", "Audit", "Two ways to the service",
            "Completion", "JSON",
        ]
        for name in sections {
            page.section(name)
            page.blocks(try documents.client.section(name))
        }
    }

    private func ending(_ page: inout Roff) throws {
        page.section("Exit status")
        page.blocks(try documents.client.section("Exit status"))
        page.section("Environment")
        page.item("`NO_COLOR`", "When it is set, no colours on a terminal.")
        page.item("`PATH`", "Where `qrexec-client-vm` is looked for, in a qube.")
        page.section("Files")
        page.item("`/run/qubes-btrfs.sock`", "In dom0: the service's socket.")
        page.item("`/etc/qubes-release`", "Where it exists, this is dom0.")
        page.item("`/etc/qubes/policy.d/30-btrfs.policy`", "In dom0: who may call, by your word.")
        page.item("`/etc/qubes/policy.d/80-btrfs.policy`", "In dom0: nobody else may.")
        page.section("Examples")
        for block in try documents.readme.section("Using it") {
            guard case .code(let lines) = block else { continue }
            for line in lines where line.contains("  #") { example(line, on: &page) }
        }
        page.section("See also")
        page.paragraph(
            "**qubes-btrfs**(7), **qubes-btrfsd**(8), **btrfs**(8), **qvm-volume**(1), "
                + "**qvm-features**(1), and the documents in `/usr/share/doc/qubes-btrfs`.")
    }

    /// `command  # what it does`.
    private func example(_ line: String, on page: inout Roff) {
        guard let hash = line.firstRange(of: "  #") else { return }
        page.item(
            "`\(String(line[..<hash.lowerBound]).trimmed)`",
            String(line[hash.upperBound...]).trimmed)
    }
}
