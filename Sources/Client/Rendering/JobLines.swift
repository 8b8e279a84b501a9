// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// Jobs and what they brought, as text of 80 columns.
enum JobLines {
    /// Queue and history, as they come: newest first.
    /// - Parameter now: seconds since 1970.
    static func table(_ list: JobList, now: Int64) -> [Line] {
        if list.jobs.isEmpty { return ["No jobs that you may see."] }
        let table = TextTable(
            first: "JOB",
            others: [("STARTED", 16), ("TOOK", 11), ("STATE", 11), ("SAVED", 9)])
        return [table.heading]
            + list.jobs.flatMap { record in
                [
                    table.row([
                        record.job, record.startedAt.map(Moment.minute) ?? "-",
                        took(record, now: now), stateText(record), savedText(record),
                    ])
                ] + Line.wrapped(whose(record), after: "  ", indent: 4)
            }
            + unknown(list) + still(list) + running(list)
    }

    /// How long it ran, so far or in all.
    private static func took(_ record: JobRecord, now: Int64) -> String {
        guard let startedAt = record.startedAt else { return "-" }
        let end = record.isOver ? record.endedAt : now
        return end.map { ByteText.duration(seconds: max(0, Double($0) - Double(startedAt))) } ?? "-"
    }

    /// What it does, and who has asked; of one that has not begun, when.
    private static func whose(_ record: JobRecord) -> String {
        let caller = record.caller.isEmpty ? "" : ", for \(record.caller.sanitised)"
        let asked = record.startedAt == nil ? " at \(Moment.minute(record.submittedAt))" : ""
        let before = record.continues.map { $0.sanitised.shortened(to: wordWidth) }
        return title(record) + caller + asked + (before.map { "; goes on after \($0)" } ?? "")
    }

    /// Whatever a later release says, whole: the table may have shortened it.
    private static func unknown(_ list: JobList) -> [Line] {
        let words = list.jobs.flatMap { record in
            [
                record.operation.isUnknown ? record.operation.rawValue : nil,
                record.state.isUnknown ? record.state.rawValue : nil,
            ].compactMap(\.self)
        }
        if words.isEmpty { return [] }
        let all = Set(words).sorted().map { $0.shortened(to: wordWidth) }
        return [""]
            + Line.wrapped(
                "The service is of a later release; this one does not know: "
                    + all.joined(separator: ", ") + ".", indent: 2)
    }

    /// Those that can neither go on nor end, and those that somebody holds for a while.
    private static func still(_ list: JobList) -> [Line] {
        list.jobs.flatMap { record -> [Line] in
            guard !record.isOver, let pacing = record.progress?.pacing else { return [] }
            switch pacing.reason {
            case .standstill:
                let why = pacing.advice?.sanitised ?? "its file system does not answer"
                return note(record, ProgressLine.standsStill(for: why, pacing), style: .warning)
            case .trim where record.state == .running:
                return note(record, ProgressLine.holds(forTrim: pacing))
            default: return []
            }
        }
    }

    private static func note(
        _ record: JobRecord, _ text: String, style: Line.Style = .plain
    ) -> [Line] {
        [""] + Line.wrapped("Job \(record.job) \(text).", indent: 2, style: style)
    }

    /// The most of a word that is shown in prose.
    private static let wordWidth = 40

    /// Of a job whose state a later release has named.
    static func unknownState(_ word: String) -> String {
        "is in a state that this release does not know: \(word.shortened(to: wordWidth))"
    }

    /// What became of a job.
    static func result(_ record: JobRecord) -> [Line] {
        var lines = Line.wrapped(
            headline(record), indent: 2,
            style: record.state == .done && record.exitStatus != .done
                ? .warning : style(record.state))
        if let estimate = record.result?.estimate {
            lines += EstimateLines.all(estimate)
            lines += ReportLines.problems(record.result?.problems ?? [])
        } else if let result = record.result, let verification = result.verification {
            lines += VerificationLines.all(verification, seconds: result.elapsedSeconds)
            lines += UnreadableLines.all(result)
            lines += ReportLines.problems(result.problems)
        } else if let result = record.result {
            for (before, after) in zip(result.before, result.after) {
                lines += change(from: before, to: after)
            }
            lines += ["", savedLine(result)] + others(result)
            lines += result.left.map(RemainderLines.all) ?? []
            lines += result.estimatedBefore.map(EstimateLines.before) ?? []
            lines += counts(result) + leftAlone(result.leftAlone)
            lines += UnreadableLines.all(result)
            lines += ReportLines.problems(result.problems)
        }
        return lines
    }

    /// `compress work:private`, `dedupe dom0 without vault`.
    static func title(_ record: JobRecord) -> String {
        let names = (record.exclude ?? []).prefix(namedQubes).map {
            $0 == ServiceClient.machine ? "dom0's own files" : $0.sanitised
        }
        let more = (record.exclude?.count ?? 0) - names.count
        let without = names.isEmpty ? "" : " without " + names.joined(separator: ", ")
        let operation = record.operation.rawValue.sanitised.shortened(to: wordWidth)
        return "\(operation) \(subject(record))\(without)"
            + (more > 0 ? " and \(more) more" : "")
    }

    /// The most names of qubes left out that a title has.
    private static let namedQubes = 3

    /// What the service has done about a job that was to be cancelled, paused or resumed.
    static func change(_ record: JobRecord, _ word: WorkerControl) -> String {
        let what =
            switch word {
            case .cancel: record.isOver ? "is cancelled" : "is being cancelled"
            case .pause: "is paused: '\(command("resume", record))' lets it go on"
            case .resume: record.state == .queued ? "waits for its turn" : "goes on"
            }
        return "Job \(record.job): \(title(record)) \(what)."
    }

    /// A command about a job.
    static func command(_ verb: String, _ record: JobRecord) -> String {
        JobPlace(record.job, on: record.target).command(verb).sanitised
    }

    /// The job's target with its volume, where one was named.
    private static func subject(_ record: JobRecord) -> String {
        let target = record.target.sanitised
        return record.argument.isEmpty ? target : "\(target):\(record.argument.sanitised)"
    }

    private static func stateText(_ record: JobRecord) -> String {
        if record.state == .done, let left = record.result?.left {
            return RemainderLines.state(left)
        }
        if record.cancelling == true, !record.isOver { return "cancelling" }
        guard record.state == .running, let progress = record.progress else {
            return record.state.rawValue
        }
        if progress.pacing?.reason == .standstill { return "standstill" }
        if progress.pacing?.state == .held { return "held" }
        return ByteText.percent(progress.doneBytes, of: progress.totalBytes).isEmpty
            ? progress.stage.rawValue
            : "run \(ByteText.percent(progress.doneBytes, of: progress.totalBytes))"
    }

    private static func savedText(_ record: JobRecord) -> String {
        if record.operation.changesNothing { return "-" }
        if let result = record.result {
            return (result.savedBytes < 0 ? "-" : "") + ByteText.size(result.savedBytes.magnitude)
        }
        return record.progress.map { "~" + ByteText.size($0.savedBytes) } ?? "-"
    }

    private static func running(_ list: JobList) -> [Line] {
        guard let record = list.jobs.first(where: { !$0.isOver && $0.startedAt != nil })
        else { return [] }
        return [""]
            + Line.wrapped(
                "'\(command("watch", record))' follows the one that runs.", indent: 2)
    }

    /// What has become of a job, as a part of a sentence.
    static func fate(_ record: JobRecord) -> String {
        switch record.state {
        case .queued: "waits for its turn"
        case .running: "is running"
        case .paused: "is paused"
        case .done where record.exitStatus == .different:
            "is done, and something is DIFFERENT"
        case .done where record.exitStatus == .unreadable:
            "is done, but parts of the images could not be read"
        case .done where record.exitStatus == .lackedRoom:
            "is done, but there was too little room for some of it"
        case .done: record.result?.left.map(RemainderLines.headline) ?? "is done"
        case .failed: "failed"
        case .interrupted, .cancelled:
            "was \(record.state.rawValue)" + (record.startedAt == nil ? " before it began" : "")
        case .unknown(let word): unknownState(word)
        }
    }

    private static func headline(_ record: JobRecord) -> String {
        let time = record.result.flatMap { result in
            result.left == nil || record.exitStatus != .done ? result : nil
        }.map {
            (record.state == .done ? " in " : " after ")
                + ByteText.duration(seconds: $0.elapsedSeconds)
        }
        let rest = record.startedAt == nil ? "" : remains(record.state)
        let reason = record.error.map { ": \($0)" }
        let ending = fate(record) + (time ?? "") + rest + (reason ?? "")
        return "Job \(record.job): \(title(record)) \(ending)"
    }

    /// All of it in one line, for a log.
    static func summary(_ record: JobRecord) -> Line {
        let told = JobNotification(record)
        let text = told.summary + (told.body.isEmpty ? "" : ": \(told.body)")
        return Line("\(text)\(text.hasSuffix(".") ? "" : ".") Job \(record.job).")
    }

    private static func remains(_ state: JobState) -> String {
        switch state {
        case .interrupted: "; what it had finished stays done, and it can be started again"
        case .cancelled: "; what it had finished stays done"
        case .queued, .running, .paused, .done, .failed, .unknown: ""
        }
    }

    private static func style(_ state: JobState) -> Line.Style {
        switch state {
        case .done: .good
        case .failed, .interrupted, .cancelled: .warning
        case .queued, .running, .paused, .unknown: .plain
        }
    }

    private static func change(
        from before: FileSystemUsage, to after: FileSystemUsage
    ) -> [Line] {
        let table = TextTable(
            first: "  MEASURED BY THE FILE SYSTEM",
            others: [("BEFORE", 10), ("AFTER", 10), ("CHANGE", 10)])
        func row(_ name: String, _ part: (FileSystemUsage) -> UInt64) -> Line {
            let (old, new) = (part(before), part(after))
            return table.row([
                "  \(name)", ByteText.size(old), ByteText.size(new),
                ByteText.change(from: old, to: new),
            ])
        }
        return [
            "", ReportLines.fileSystemHeading(before), table.heading,
            row("data used") { $0.dataUsedBytes }, row("metadata used") { $0.metadataUsedBytes },
            row("unallocated") { $0.unallocatedBytes },
        ]
    }

    private static func savedLine(_ result: JobResult) -> Line {
        let predicted =
            result.predictedBytes.map { bytes in
                // What it was not given the time for it could not save.
                let due = bytes - min(result.left?.predictedBytes ?? 0, bytes)
                return " (predicted: \(ByteText.size(due)))"
            } ?? ""
        let saved = result.savedBytes
        if saved < 0, let own = result.own, own.writtenBytes > own.freedBytes {
            return Line(
                "Grown by \(ByteText.size(saved.magnitude)): what was compressed is plain now.")
        }
        if saved < 0 {
            let more = ByteText.size(saved.magnitude)
            return Line(
                result.own == nil
                    ? "Saved: nothing to be seen, \(more) more were written meanwhile\(predicted)"
                    : "Saved: nothing, metadata grew by \(more) more than data shrank\(predicted)",
                .warning)
        }
        return Line("Saved: \(ByteText.size(saved.magnitude))\(predicted)", .good)
    }

    /// What others did meanwhile is none of the job's; then its own count says what was saved.
    private static func others(_ result: JobResult) -> [Line] {
        let others = result.othersBytes
        if others == 0 { return [] }
        let size = ByteText.size(others.magnitude)
        return Line.wrapped(
            "By the job's own count: meanwhile others \(others > 0 ? "wrote" : "freed") \(size).",
            indent: 2)
    }

    private static func counts(_ result: JobResult) -> [Line] {
        Line.wrapped(
            "Extents: \(ByteText.count(result.extentsSeen)) seen, "
                + "\(ByteText.count(result.extentsReplaced)) replaced; "
                + "\(ByteText.count(result.referencesMoved)) references moved",
            indent: 2) + pieces(result)
    }

    private static func pieces(_ result: JobResult) -> [Line] {
        guard let pieces = result.pieces, pieces.dataBytes > 0 else { return [] }
        let (before, after) = pieces.inGibibyte
        return Line.wrapped(
            "Pieces that the files lie in, for each GiB of data: "
                + "\(ByteText.count(UInt64(before.rounded()))) before, "
                + "\(ByteText.count(UInt64(after.rounded()))) after",
            indent: 2)
    }

    private static func references(_ item: JobResult.LeftAlone) -> String {
        item.references.map { ", with up to \(ByteText.count($0)) references each" } ?? ""
    }

    private static func leftAlone(_ items: [JobResult.LeftAlone]) -> [Line] {
        if items.isEmpty { return [] }
        return ["", Line("Left alone:", .heading)]
            + items.flatMap {
                Line.wrapped(
                    "\($0.reason) (\(ByteText.count($0.count))\(references($0)))",
                    after: "  \(ByteText.size($0.diskBytes).trailing(ByteText.width))  ",
                    indent: 12)
            }
    }
}
