// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct ReportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Show what qubes take on disk, and what would bring most.",
        usage: "qvm-btrfs report [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            Without a name, or with 'dom0': all qubes that you may see, the largest first, what \
            to do about them, and the file systems. With names: each of their volumes and images.

            DATA is what the images hold, DISK what that takes on the device, EXCLUSIVE what comes \
            back if the qube goes, SHARED what others use, too, REVISIONS what comes back if the \
            revisions go, RATIO is DATA over DISK. In the total an extent that two \
            qubes share counts once, and is exclusive to all of them together: with --qube A \
            --qube B, EXCLUSIVE of the total is what deleting both would bring.

            Example: qvm-btrfs report --html disk.html
            """)

    @OptionGroup var place: PlaceArguments
    @OptionGroup(title: "Which qubes, of all") var choice: ReportChoice
    @OptionGroup(title: "How to show it") var view: ReportView
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        let isOfMachine = place.calls.allSatisfy(\.isOfMachine)
        if !isOfMachine && !choice.isEmpty {
            throw ValidationError(
                "--qube, --template and --only-running choose among all qubes: leave the names "
                    + "out.")
        }
        if !isOfMachine && view.tree {
            throw ValidationError("--tree shows all qubes below their templates: leave names out.")
        }
        if place.calls.count > 1 && (view.csv || view.html != nil || view.compare != nil) {
            throw ValidationError(
                "--csv, --html and --compare are of one report: give --qube for each name.")
        }
        try view.validate(json: shared.json)
    }

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        // What is wrong with the other file is said before anybody waits for dom0.
        let old = try view.compare.map { path throws(ClientError) in try ReportFile.read(path) }
        var request = choice.request
        request.exclude = place.exclude
        return try context.each(place.calls) { (place) throws(ClientError) in
            let report = try context.client.report(
                target: place.target, volume: place.argument, request: request)
            if !shared.json { try context.separate(place, in: self.place.calls) }
            try show(report, of: place, old, context)
            return .done
        }
    }

    private func show(
        _ report: Report, of place: Place, _ old: Report?, _ context: CommandContext
    ) throws(ClientError) {
        if let old {
            try compare(from: old, to: report, context)
        } else if let path = view.html {
            try ReportFile.write(Page.text(report), to: path)
            context.console.note(Line("The page is in \(path)."))
        } else if view.csv {
            try context.console.raw(
                ReportCSV.text(report, sort: view.sort, isReversed: view.reverse))
        } else if shared.json {
            try context.console.raw(JSONText.plain(report))
        } else {
            try context.console.data(
                lines(
                    report, isMachine: place.isOfMachine, now: context.clock.now()))
        }
    }

    private func compare(
        from old: Report, to new: Report, _ context: CommandContext
    ) throws(ClientError) {
        let comparison = ReportComparison(from: old, to: new)
        if shared.json {
            try context.console.raw(JSONText.plain(comparison))
        } else {
            try context.console.data(comparison.lines)
        }
    }

    private func lines(_ report: Report, isMachine: Bool, now: Int64) -> [Line] {
        if view.revisions {
            return ReportLines.revisions(report, now: now)
        }
        if !isMachine { return ReportLines.volumes(report) }
        if view.tree {
            return ReportLines.tree(report, sort: view.sort, isReversed: view.reverse)
        }
        return ReportLines.machine(
            report, sort: view.sort, isReversed: view.reverse, whose: choice.whose)
    }
}

/// Which of the machine's qubes a report is about.
struct ReportChoice: ParsableArguments {
    @Option(
        name: .customLong("qube"), parsing: .singleValue,
        help: ArgumentHelp(
            "Only this qube; give it again for more.", valueName: "name"))
    var qubes: [QubeName] = []

    @Option(
        help: ArgumentHelp(
            "Only this template, and the qubes that start from it.", valueName: "name"))
    var template: QubeName?

    @Flag(name: .customLong("only-running"), help: "Only qubes that are running.")
    var running = false

    var isEmpty: Bool { request == ReportRequest() }

    /// For people.
    var whose: String {
        running ? "that is running" : isEmpty ? "that you may see" : "of the chosen ones"
    }

    var request: ReportRequest {
        ReportRequest(
            qubes: qubes.isEmpty ? nil : qubes.map(\.text), template: template?.text,
            running: running)
    }
}

/// How a report is shown.
struct ReportView: ParsableArguments {
    @Option(
        help: ArgumentHelp("Sort the rows.", valueName: "column"))
    var sort = ReportSort.disk

    @Flag(help: "The other way round.")
    var reverse = false

    @Flag(help: "Show the qubes below their templates.")
    var tree = false

    @Flag(help: "List every revision, the oldest first.")
    var revisions = false

    @Flag(help: "Write comma-separated values: a row for each qube and volume.")
    var csv = false

    @Option(
        help: ArgumentHelp("Write one page for a browser to this file.", valueName: "file"),
        completion: .file())
    var html: String?

    @Option(
        help: ArgumentHelp(
            "Show what changed since a report that --json has written.", valueName: "file"),
        completion: .file())
    var compare: String?

    func validate(json: Bool) throws {
        let forms = [tree, revisions, csv, html != nil, json && compare == nil].count { $0 }
        if forms > 1 || (compare != nil && forms > 0) {
            throw ValidationError(
                "Of --tree, --revisions, --csv, --html, --compare and --json only one; --compare "
                    + "and --json go together.")
        }
    }
}
