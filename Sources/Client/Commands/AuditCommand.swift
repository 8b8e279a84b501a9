// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol
import SystemPackage

struct AuditCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Show in dom0 who asked for what, what policy said and what came of it.",
        usage: "qvm-btrfs audit [--since <time>] [--caller <qube>] [--qube <qube>]",
        discussion: """
            Joins what qrexec's policy daemon and the service have written to dom0's journal. \
            Calls of dom0 itself and of its timers are in it; no policy is asked for them. Where \
            policy allowed a call, the journal does not say by which rule.

            Example: qvm-btrfs audit --since 24h --caller mgmt
            """)

    @Option(
        help: ArgumentHelp(
            "Not what is older: 90m, 12h, 7d, 4w, 2026-11-23, '2026-11-23 07:30'. Without it, 7d.",
            valueName: "time"),
        transform: AuditCommand.moment)
    var since: AuditTime.Text?

    @Option(
        help: ArgumentHelp("Only what this qube asked for.", valueName: "qube"))
    var caller: QubeName?

    @Option(
        help: ArgumentHelp("Only what was asked about this qube.", valueName: "qube"))
    var qube: QubeName?

    @Option(
        help: ArgumentHelp(
            "Read this file, written by journalctl --output=json.", valueName: "path"))
    var journal: PathArgument?

    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        guard context.isDom0 || journal != nil else { throw .onlyInDom0(command: "audit") }
        let now = context.clock.now()
        let since = since?.moment(now) ?? now - Self.defaultSeconds
        let text =
            if let journal { try Journal.read(file: journal.path) } else {
                try Journal.read(since: since, until: context.client.interruption)
            }
        if text.unreadableLines > 0 {
            let count = text.unreadableLines
            context.console.note(
                Line(
                    "qvm-btrfs: \(count) line\(count == 1 ? "" : "s") of the journal "
                        + "could not be read and \(count == 1 ? "was" : "were") passed over.",
                    .warning))
        }
        let losses = AuditLosses(text.entries)
        for sentence in losses.sentences {
            context.console.note(Line("qvm-btrfs: \(sentence)", .warning))
        }
        let entries = AuditHistory.entries(text.entries).filter {
            $0.askedAt >= since && (caller.map(\.text) ?? $0.caller) == $0.caller
                && (qube.map(\.text) ?? $0.target) == $0.target
        }
        if shared.json {
            try context.console.raw(
                JSONText.zoned(AuditReply(entries: entries, losses), now: now))
        } else {
            try context.console.data(AuditLines.history(entries, mayLack: !losses.isEmpty))
        }
        return .done
    }

    /// How far back it looks by itself: a week.
    private static let defaultSeconds: Int64 = 7 * 86400

    private static func moment(_ text: String) throws -> AuditTime.Text {
        guard let moment = AuditTime.Text(text) else {
            throw ValidationError(
                "A time is 90m, 12h, 7d or 4w for so long ago, or 2026-11-23, or "
                    + "'2026-11-23 07:30'.")
        }
        return moment
    }
}

/// What `audit --json` writes.
private struct AuditReply: Encodable {
    let version = ProtocolVersion.current
    let entries: [AuditEntry]
    /// Nil where none is known to be.
    let lostRecords: UInt64?
    /// By caller; nil where there are none.
    let countedCalls: [String: UInt64]?

    init(entries: [AuditEntry], _ losses: AuditLosses) {
        self.entries = entries
        lostRecords = losses.lostRecords > 0 ? losses.lostRecords : nil
        countedCalls = losses.countedCalls.isEmpty ? nil : losses.countedCalls
    }
}
