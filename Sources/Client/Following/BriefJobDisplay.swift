// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// One line of what came of a job, as for the journal of a unit: before that only what somebody has
/// to do something about.
final class BriefJobDisplay: JobDisplay {
    private let console: Console
    private var saidAdvice: String?

    init(_ console: Console) { self.console = console }

    var isForPeople: Bool { false }

    func changed(_ record: JobRecord, _ word: WorkerControl) {}

    func accepted(_ accepted: JobAccepted) {}

    func leave(_ accepted: JobAccepted, _ place: JobPlace) {}

    /// A unit that waits for room would wait unseen.
    func event(_ event: JobEvent) {
        guard case .progress(let progress) = event, let pacing = progress.pacing,
            pacing.reason == .space || pacing.reason == .standstill,
            let advice = pacing.advice, advice != saidAdvice
        else { return }
        saidAdvice = advice
        console.error(ProgressLine.waits(for: advice, pacing))
    }

    func end(_ record: JobRecord) throws(ClientError) {
        try console.data([JobLines.summary(record)])
    }
}
