// SPDX-License-Identifier: GPL-2.0-or-later

/// How trims are shown: a table that grows for people, a line of JSON each for programs.
final class TrimDisplay {
    private let console: Console
    private let isJSON: Bool
    private let isBeforeJob: Bool
    private var hasHeading = false

    init(_ console: Console, isJSON: Bool, isBeforeJob: Bool) {
        self.console = console
        self.isBeforeJob = isBeforeJob
        self.isJSON = isJSON
    }

    /// The next one is about to be trimmed.
    func begins(_ qube: String, _ number: Int, of count: Int, starts: Bool) {
        let what = starts ? "starting it, then trimming" : "trimming"
        console.progress("\(qube): \(what) (\(number) of \(count))")
    }

    /// One that was started goes down again.
    func shutsDown(_ qube: String, isInterrupted: Bool) {
        if isInterrupted {
            console.note(Line("\(qube) was started for this, and is shut down first.", .warning))
        } else {
            console.progress("\(qube): shutting it down")
        }
    }

    /// What became of one.
    func shows(_ record: TrimRecord) throws(ClientError) {
        if isJSON { return try console.raw(JSONText.tagged(.trim, record)) }
        if !hasHeading { try console.data([TrimLines.heading]) }
        hasHeading = true
        // Of one that was not trimmed there are figures if something came of it all the same.
        if let brought = record.brought,
            record.outcome == "trimmed" || brought != TrimFigures()
        {
            try console.data([TrimLines.row(record.qube, brought)])
        }
        if let word = TrimLines.word(record) {
            try console.data([TrimLines.row(record.qube, word)])
        }
    }

    /// What became of all.
    /// - Parameters:
    ///   - halted: how many were left alone as they do not run.
    ///   - others: how many as nothing in them lasts.
    func ends(_ sum: TrimSum, halted: Int, others: Int) throws(ClientError) {
        if isJSON { return try console.raw(JSONText.tagged(.trimmed, sum)) }
        try console.data(
            TrimLines.sum(sum)
                + TrimLines.skipped(halted, others, isBeforeJob: isBeforeJob))
    }
}
