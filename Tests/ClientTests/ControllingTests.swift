// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

@Suite struct ControllingTests {
    private func running(_ interruption: Interruption) throws -> ScriptedService.Step {
        .hold(
            try Envelope.event(.state, Sample.record(.running)).encoded(),
            { _ = interruption.interrupt() })
    }

    @Test(arguments: [
        ("cancel", "btrfs.job.Cancel", JobState.running, "is being cancelled."),
        ("pause", "btrfs.job.Pause", .paused, "is paused: 'qvm-btrfs resume"),
        ("resume", "btrfs.job.Resume", .running, "goes on."),
        ("resume", "btrfs.job.Resume", .queued, "waits for its turn."),
    ])
    func aCommandCallsItsServiceAndSaysWhatCameOfIt(
        command: String, service: String, state: JobState, says: String
    ) throws {
        let arguments = [command, Sample.job] + (command == "cancel" ? ["--no-wait"] : [])
        let run = try Run(arguments, [.answer(Envelope.answer(Sample.record(state)).encoded())])
        #expect(run.status == .done)
        #expect(
            run.calls == ["\(service)+\(Sample.job) dom0 name dom0\0" + #"{"version":1}"#])
        let text = run.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("Job \(Sample.job): compress work:private \(says)"))
        #expect(run.output == "")
    }

    @Test func aCancelledJobIsFollowedToWhatItBrought() throws {
        let run = try Run(
            ["cancel", Sample.job],
            [
                .answer(Envelope.answer(Sample.record(.running)).encoded()),
                .answer(Envelope.answer(Sample.record(.cancelled)).encoded()),
            ])
        #expect(run.status == .done)
        #expect(run.calls[1].hasPrefix("btrfs.job.Watch+\(Sample.job) "))
        let text = run.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("was cancelled after 3 min 12 s; what it had finished stays done"))
        #expect(run.output.contains("Saved: 2.00 GiB"))
    }

    @Test func ofAJobThatIsBeingCancelledNobodySaysThatItRuns() throws {
        let running = Sample.record(.running)
        let run = try Run(
            ["cancel", Sample.job],
            [
                .answer(Envelope.answer(running).encoded()),
                .answer(
                    Envelope.event(.state, running).encoded()
                        + Envelope.answer(Sample.record(.cancelled)).encoded()),
            ])
        #expect(run.error.contains("is being cancelled."))
        #expect(!run.error.contains("is running"))
    }

    @Test func aJobThatOnlyWaitedIsSaidOnceToHaveEnded() throws {
        var record = Sample.record(.cancelled)
        record.startedAt = nil
        record.result = nil
        let run = try Run(["cancel", Sample.job], [.answer(Envelope.answer(record).encoded())])
        #expect(run.status == .done)
        #expect(run.calls.count == 1)
        #expect(run.error == "")
        #expect(run.output.contains("was cancelled before it"))
        #expect(!run.output.contains("stays done"))
    }

    @Test func asJSONTheJobIsOneLine() throws {
        let run = try Run(
            ["pause", Sample.job, "--json"],
            [.answer(Envelope.answer(Sample.record(.paused)).encoded())])
        #expect(run.output.contains(#""message":"state""#))
        #expect(run.output.contains(#""state":"paused""#))
        #expect(run.error == "")
    }

    @Test func aJobThatIsOverIsSaidToBe() throws {
        let over = ServiceException(.jobOver, "The job is over already.")
        let run = try Run(
            ["resume", Sample.job], [.answer(Envelope.exception(over).encoded())])
        #expect(run.status == .failed)
        let text = run.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.hasSuffix("already: 'qvm-btrfs watch \(Sample.job)' shows what it brought."))
    }

    @Test(arguments: ["", "y", "yes", "Y", "what?"])
    func ctrlCAsksAndWhoDoesNotSayNoLeavesTheJobRunning(answer: String) throws {
        let interruption = Interruption()
        let run = try Run(
            ["watch", Sample.job], [try running(interruption)], interruption: interruption,
            columns: 80, readLine: { answer })
        #expect(run.status == .interrupted)
        #expect(run.error.contains("Leave the job running? [Y/n] "))
        #expect(run.error.hasSuffix("Watch it again: qvm-btrfs watch \(Sample.job)\n"))
        #expect(run.calls.count == 1)
    }

    @Test(arguments: ["n", " N ", "no"])
    func whoSaysNoCancelsItAndSeesWhatItBrought(answer: String) throws {
        let interruption = Interruption()
        let run = try Run(
            ["watch", Sample.job],
            [
                try running(interruption),
                .answer(Envelope.answer(Sample.record(.running)).encoded()),
                .answer(Envelope.answer(Sample.record(.cancelled)).encoded()),
            ], interruption: interruption, columns: 80, readLine: { answer })
        #expect(run.status == .jobCancelled)
        #expect(run.calls[1].hasPrefix("btrfs.job.Cancel+\(Sample.job) "))
        #expect(run.output.contains("was cancelled"))
    }

    @Test func aJobThatEndedWhileItWasAskedAboutShowsItsResult() throws {
        let interruption = Interruption()
        let run = try Run(
            ["watch", Sample.job],
            [
                try running(interruption),
                .answer(Envelope.exception(.init(.jobOver, "Over.")).encoded()),
                .answer(Envelope.answer(Sample.record(.done)).encoded()),
            ], interruption: interruption, columns: 80, readLine: { "n" })
        #expect(run.status == .done)
    }

    @Test func nobodyIsAskedWithoutATerminalOrWhenAProgramReads() throws {
        for (options, columns) in [([], nil), (["--json"], 80)] as [([String], Int?)] {
            let interruption = Interruption()
            let run = try Run(
                ["watch", Sample.job] + options, [try running(interruption)],
                interruption: interruption, columns: columns, readLine: { "n" })
            #expect(run.status == .interrupted)
            #expect(run.calls.count == 1)
            #expect(!run.error.contains("Leave"))
        }
    }

    @Test(
        arguments: [
            (Pacing(state: .full), nil),
            (Pacing(state: .held, reason: .pause), "paused"),
            (Pacing(state: .held, reason: .battery), "held: on battery"),
            (Pacing(state: .held, reason: .operation, advice: "balance"), "held: balance"),
            (Pacing(state: .held, reason: .disk), "held: others need the disk"),
            (Pacing(state: .held, reason: .trim, qube: "work"), "held: work is being trimmed"),
            (Pacing(state: .held, reason: .trim), "held: a qube is being trimmed"),
            (
                Pacing(state: .slowed, reason: .disk, heldShare: 0.254),
                "slowed: others need the disk (held 25 %)"
            ),
        ] as [(Pacing, String?)])
    func theLineSaysWhyAJobDoesNotWorkAtFullSpeed(pacing: Pacing, text: String?) {
        #expect(ProgressLine.text(pacing) == text)
        var progress = Sample.progress(done: 1, of: 2, at: 1)
        progress.pacing = pacing
        let reading = ProgressMeter.Reading(progress: progress, bytesPerSecond: 1)
        let line = ProgressLine.text(reading, columns: 80)
        #expect(line.contains(text ?? "1 B/s"))
        #expect(line.count <= 80)
    }

    @Test func whatToDoAboutSpaceIsSaidOnce() throws {
        var progress = Sample.progress(done: 1, of: 2, at: 1)
        progress.pacing = Pacing(state: .held, reason: .space, advice: "delete something")
        let event = try Envelope.event(.progress, progress).encoded()
        let run = try Run(
            ["watch", Sample.job],
            [.answer(event + event + (try Envelope.answer(Sample.record(.done)).encoded()))])
        #expect(run.error.split(separator: "delete something").count == 2)
    }
}
