// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

@testable import Client

// What the client makes of values that it did not choose: no line may be wider than a terminal, and
// none may move its cursor.

func show(_ record: JobRecord) {
    write(JobLines.result(record))
    show(JobList(jobs: [record]))
    write(json: record)
}

func show(_ list: JobList) { write(JobLines.table(list, now: 1_800_000_000)) }

func show(_ report: Report) {
    write(ReportLines.machine(report))
    write(ReportLines.volumes(report))
    write(json: report)
    let page = Page.text(report)
    demand(!page.lowercased().contains("<script"), "nothing in a page is run")
}

func show(_ progress: JobProgress) {
    var meter = ProgressMeter()
    for _ in 0..<2 {
        let text = ProgressLine.text(meter.read(progress), columns: 79)
        demand(text.sanitised.count <= 79, "progress fits its line")
    }
}

func show(_ exception: ServiceException) {
    write(Line.wrapped(exception.message, indent: 2))
}

private func write(_ lines: [Line]) {
    for line in lines {
        let text = line.text.sanitised
        demand(isOneLine(text), "nothing moves the cursor")
        demand(text.count <= TextTable.columns, "a line fits: \(text)")
    }
}

private func write(json value: some Encodable) {
    guard let text = try? JSONText.plain(value) else { return }
    demand(isOneLine(text), "JSON is one line")
}

/// What `journalctl --output=json` has written, as `qvm-btrfs audit` reads it.
@Sendable func fuzzAudit(_ untrusted: [UInt8]) {
    var whole = JournalText()
    whole.append(untrusted)
    whole.finish()
    var pieces = JournalText()
    for byte in untrusted { pieces.append([byte]) }
    pieces.finish()
    demand(whole.entries == pieces.entries, "entries mean the same in whatever pieces they come")
    let entries = AuditHistory.entries(whole.entries)
    demand(entries.count <= whole.entries.count, "no call is made up")
    let losses = AuditLosses(whole.entries)
    for mayLack in [false, true] { write(AuditLines.history(entries, mayLack: mayLack)) }
    for sentence in losses.sentences { write(Line.wrapped(sentence, indent: 2)) }
    for entry in entries { write(json: entry) }
    // A line of policy by itself: no mutation would quote it rightly.
    if let line = PolicyLine(untrusted: String(decoding: untrusted, as: UTF8.self)) {
        demand(line.service.hasPrefix("btrfs."), "it is about a service of ours")
        demand(isPlainText(line.caller + line.target + line.argument), "names are plain")
    }
}
