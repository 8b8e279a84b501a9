// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Service

/// Which jobs hold while a qube is trimmed: as values, without a clock of their own.
@Suite struct HoldRulesTests {
    /// Jobs that run and may touch these qubes, `r0` first, and one that waits.
    private let start = ContinuousClock.now

    private func archive(_ running: [Set<String>], caller: String = "dom0") -> JobArchive {
        var archive = JobArchive(history: [])
        for (index, qubes) in running.enumerated() {
            var record = record("r\(index)", caller)
            record.state = .running
            archive.append(
                JobEntry(
                    record: record, phase: .running(RunningJob(qubes: qubes)), turn: index + 1))
        }
        let request = JobRequest(
            operation: .compress, work: .compress(level: nil, running: false), caller: "a",
            target: .machine, uuid: nil, argument: .whole, excluded: [], onBattery: true,
            risksReadOnly: false, askedAt: start)
        archive.append(
            JobEntry(record: record("w", "a"), phase: .waiting(request, isReady: true)))
        return archive
    }

    private func record(_ job: String, _ caller: String) -> JobRecord {
        JobRecord(
            job: job, operation: .compress, caller: caller, target: "dom0", argument: "",
            submittedAt: 1)
    }

    private func heldFor(_ archive: JobArchive) -> [String?] {
        archive.entries.filter { $0.running != nil }.map { $0.running?.heldFor }
    }

    @Test func whatMayTouchTheQubeIsHeldAndNothingElse() throws {
        let bounds = Bounds()
        var archive = archive([["work"], ["deb", "work"], ["deb"], []])
        let hold = try archive.holds.add("work", for: "admin", bounds, at: start)
        archive.shareTurns(bounds, at: start)
        #expect(heldFor(archive) == ["work", "work", nil, nil])
        // Of those that can work one does.
        #expect(archive.entries.map { $0.running?.isSetAside } == [false, false, false, true, nil])
        archive.holds.remove(hold)
        archive.shareTurns(bounds, at: start)
        #expect(heldFor(archive) == [nil, nil, nil, nil])
        #expect(archive.entries.map { $0.running?.isSetAside } == [false, true, true, true, nil])
    }

    @Test func aHeldJobLetsOthersByAsAPausedOneDoes() throws {
        var archive = archive([["work"]], caller: "b")
        #expect(archive.next(Bounds()) == nil)
        _ = try archive.holds.add("work", for: "admin", Bounds(), at: start)
        archive.shareTurns(Bounds(), at: start)
        #expect(archive.next(Bounds()) == "w")
        // One that is to end works, and is waited for.
        archive["r0"]?.running?.isCancelled = true
        #expect(archive.next(Bounds()) == nil)
    }

    @Test func twoHoldsOfOneQubeAreOverWhenBothAre() throws {
        var archive = archive([["work"]])
        let holds = try (0..<2).map { _ in
            try archive.holds.add("work", for: "a", Bounds(), at: start)
        }
        for hold in holds {
            archive.shareTurns(Bounds(), at: start)
            #expect(heldFor(archive) == ["work"])
            archive.holds.remove(hold)
        }
        archive.shareTurns(Bounds(), at: start)
        #expect(heldFor(archive) == [nil])
    }

    @Test func aHoldCountsUntilItsTimeIsOver() throws {
        var bounds = Bounds()
        bounds.holdSeconds = 10
        var holds = JobHolds()
        let hold = try holds.add("work", for: "a", bounds, at: start)
        for (seconds, counts) in [(0.0, true), (9.9, true), (10, false), (1000, false)] {
            let moment = start + .seconds(seconds)
            #expect(holds.has(hold, at: moment) == counts)
            #expect((holds.qube(among: ["work"], at: moment) == "work") == counts)
        }
    }

    @Test func noJobIsHeldForLongerInAllHoweverManyHoldsThereAre() throws {
        var bounds = Bounds()
        bounds.holdSeconds = 10
        var archive = archive([["work"], ["work"]])
        // Nobody had it paused while it was held, and the other one was.
        archive["r1"]?.record.state = .paused
        let first = try archive.holds.add("work", for: "a", bounds, at: start)
        archive.shareTurns(bounds, at: start)
        #expect(heldFor(archive) == ["work", "work"])
        archive.holds.remove(first)
        let later = start + .seconds(6)
        archive.shareTurns(bounds, at: later)
        #expect(archive["r0"]?.running?.held.seconds(at: later) == 6)
        #expect(archive["r1"]?.running?.held.seconds(at: later) == 0)
        _ = try archive.holds.add("work", for: "b", bounds, at: later)
        archive.shareTurns(bounds, at: later)
        archive.shareTurns(bounds, at: later + .seconds(3.5))
        #expect(heldFor(archive) == ["work", "work"])
        archive.shareTurns(bounds, at: later + .seconds(4))
        #expect(heldFor(archive) == [nil, "work"])
    }

    @Test func whatAWorkerTellsIsSaidWithItsReason() {
        func reason(
            _ state: JobState, heldFor qube: String?, isSetAside: Bool = false,
            _ told: Pacing.Reason = .pause
        ) -> Pacing.Reason? {
            var record = record("r", "dom0")
            record.state = state
            var running = RunningJob()
            running.heldFor = qube
            running.isSetAside = isSetAside
            let entry = JobEntry(record: record, phase: .running(running))
            var progress = JobProgress(
                stage: .survey, doneBytes: 0, totalBytes: 0, savedBytes: 0, elapsedSeconds: 0)
            progress.pacing = Pacing(state: .held, reason: told, qube: "vault")
            let pacing = entry.explained(progress).pacing
            #expect(pacing?.qube == (pacing?.reason == .trim ? qube : nil))
            return pacing?.reason
        }
        #expect(reason(.running, heldFor: "work") == .trim)
        #expect(reason(.running, heldFor: nil) == .pause)
        #expect(reason(.running, heldFor: nil, isSetAside: true) == .turn)
        #expect(reason(.paused, heldFor: "work") == .pause)
        #expect(reason(.running, heldFor: "work", .standstill) == .standstill)
    }

    @Test func whatIsSkippedOrOnlySharesIsNotTouched() {
        func volume(_ qube: String, selected: Bool, skipped: Bool) -> WorkerOrder.Volume {
            WorkerOrder.Volume(
                qube: qube, qubeKind: "AppVM", name: "private", pool: "p", volumeIdentifier: qube,
                selected: selected, skipped: skipped, isVolatile: false, compressionLevel: nil,
                dedupeGroup: "g")
        }
        let order = WorkerOrder(
            work: .dedupe(running: false), pools: [],
            volumes: [
                volume("work", selected: true, skipped: false),
                volume("deb", selected: false, skipped: false),
                volume("vault", selected: true, skipped: true),
            ], wholeMachine: true)
        #expect(order.touchedQubes == ["work"])
    }
}
