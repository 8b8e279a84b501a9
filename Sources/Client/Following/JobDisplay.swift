// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// How a followed job is shown: as text for people, or as JSON for programs.
protocol JobDisplay: AnyObject {
    /// The service has taken the job.
    func accepted(_ accepted: JobAccepted) throws(ClientError)
    /// A person looks at it, who may be asked.
    var isForPeople: Bool { get }
    /// The service has taken a wish about the job.
    func changed(_ record: JobRecord, _ word: WorkerControl) throws(ClientError)
    /// It is not followed: the last that is shown.
    func leave(_ accepted: JobAccepted, _ place: JobPlace) throws(ClientError)
    /// Something has come.
    func event(_ event: JobEvent) throws(ClientError)
    /// It is over.
    func end(_ record: JobRecord) throws(ClientError)
}

/// Progress on standard error, the result on standard output.
final class TextJobDisplay: JobDisplay {
    /// The least time between two lines of one stage where lines cannot be redrawn, in seconds.
    static let plainIntervalSeconds = 5.0
    /// The least time between two pictures of a redrawn line, in seconds.
    static let redrawIntervalSeconds = 0.1

    private let console: Console
    private var meter = ProgressMeter()
    private var pacer: ProgressPacer
    private var shownState: JobState?
    private var isShownCancelling = false
    private var shownAdvice: String?

    init(_ console: Console) {
        self.console = console
        pacer = ProgressPacer(
            intervalSeconds: console.redrawColumns == nil
                ? Self.plainIntervalSeconds : Self.redrawIntervalSeconds)
    }

    var isForPeople: Bool { true }

    func changed(_ record: JobRecord, _ word: WorkerControl) {
        console.note(Line(JobLines.change(record, word)))
        // What is being cancelled runs until then: nothing that has to be said.
        shownState = record.state
        isShownCancelling = word == .cancel
    }

    func accepted(_ accepted: JobAccepted) {
        console.note("Job \(accepted.job) was taken.")
    }

    func leave(_ accepted: JobAccepted, _ place: JobPlace) throws(ClientError) {
        console.note("'\(place.watchCommand)' follows it.")
        try console.data([Line(accepted.job)])
    }

    func event(_ event: JobEvent) {
        switch event {
        case .state(let record): state(record)
        case .progress(let progress): show(progress)
        case .heartbeat: break
        }
    }

    func end(_ record: JobRecord) throws(ClientError) {
        try console.data(JobLines.result(record))
    }

    private func state(_ record: JobRecord) {
        defer { shownState = record.state }
        if record.cancelling == true, !isShownCancelling, !record.isOver {
            isShownCancelling = true
            console.note(Line("\(JobLines.title(record)) is being cancelled."))
            return
        }
        guard record.state != shownState, !record.isOver else { return }
        let stands =
            switch record.state {
            case .queued: "waits for the job before it"
            case .paused: "is paused: '\(JobLines.command("resume", record))' lets it go on"
            case .unknown(let word): JobLines.unknownState(word)
            default: shownState == .paused ? "goes on" : "is running"
            }
        console.note(Line("\(JobLines.title(record)) \(stands)."))
    }

    private func show(_ progress: JobProgress) {
        let reading = meter.read(progress)
        if let pacing = progress.pacing { noteAdvice(pacing) }
        guard pacer.shows(progress) else { return }
        let columns = console.redrawColumns ?? TextTable.columns
        console.progress(ProgressLine.text(reading, columns: columns))
    }
}

extension TextJobDisplay {
    /// What a person has to do is not for a line that is redrawn.
    private func noteAdvice(_ pacing: Pacing) {
        guard pacing.advice != shownAdvice else { return }
        shownAdvice = pacing.advice
        guard let advice = pacing.advice else { return }
        console.note(Line(ProgressLine.waits(for: advice, pacing), .warning))
    }
}

/// One JSON object a line on standard output.
final class JSONJobDisplay: JobDisplay {
    private let console: Console

    init(_ console: Console) { self.console = console }

    var isForPeople: Bool { false }

    func changed(_ record: JobRecord, _ word: WorkerControl) throws(ClientError) {
        try console.raw(JSONText.tagged(.state, record))
    }

    func accepted(_ accepted: JobAccepted) throws(ClientError) {
        try console.raw(JSONText.tagged(.accepted, accepted))
    }

    func leave(_ accepted: JobAccepted, _ place: JobPlace) {}

    func event(_ event: JobEvent) throws(ClientError) {
        switch event {
        case .state(let record): try console.raw(JSONText.tagged(.state, record))
        case .progress(let progress): try console.raw(JSONText.tagged(.progress, progress))
        case .heartbeat: try console.raw(JSONText.tagged(.heartbeat, JSONText.Nothing()))
        }
    }

    func end(_ record: JobRecord) throws(ClientError) {
        try console.raw(JSONText.tagged(.job, record))
    }
}
