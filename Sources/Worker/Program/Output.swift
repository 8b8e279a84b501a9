// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// Writes messages to the daemon, a line each.
final class Output: Sendable {
    private let descriptor: FileDescriptor
    let clock: MachineClock
    private let started: ContinuousClock.Instant
    private let state = Monitor(State())

    private struct State {
        var lastProgress: ContinuousClock.Instant?
        var lastStage: JobProgress.Stage?
        var last: JobProgress?
        var pacing: Pacing?
        var lastPacing: ContinuousClock.Instant?
        /// Until the job begins no one has given it a time.
        var deadline: Deadline?
        /// The last of the stage in which content is got to know; nil before it.
        var fingerprint: JobProgress?
        /// The last message is written.
        var hasEnded = false
    }

    /// Progress more often than this is not passed on.
    private static let pause = Duration.milliseconds(250)

    /// Pacing more often than this is not passed on while it stays what it is.
    private static let pacingPause = Duration.seconds(2)

    init(_ descriptor: FileDescriptor, clock: MachineClock) {
        self.descriptor = descriptor
        self.clock = clock
        started = clock.now()
    }

    /// Seconds since the worker started.
    var elapsedSeconds: Double {
        let elapsed = clock.now() - started
        return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }

    /// From now on progress says when the job will stop.
    func follow(_ deadline: Deadline?) { state.withLock { $0.deadline = deadline } }

    /// How much content was to be got to know on this file system, and of how much the checksums
    /// were read; nil where it has not begun.
    var known: (bytes: UInt64, of: UInt64)? {
        state.withLock { state in
            state.fingerprint.map {
                (state.last?.stage == .fingerprint ? $0.doneBytes : $0.totalBytes, $0.totalBytes)
            }
        }
    }

    func progress(
        _ stage: JobProgress.Stage, doneBytes: UInt64 = 0, totalBytes: UInt64 = 0,
        savedBytes: UInt64 = 0
    ) {
        var progress = JobProgress(
            stage: stage, doneBytes: doneBytes, totalBytes: totalBytes, savedBytes: savedBytes,
            elapsedSeconds: elapsedSeconds)
        let isDue = state.withLock { state in
            let now = clock.now()
            progress.pacing = state.pacing
            progress.stopsInSeconds = state.deadline?.secondsLeft
            if stage == .fingerprint { state.fingerprint = progress }
            if stage == .survey { state.fingerprint = nil }
            state.last = progress
            let isRecent = state.lastProgress.map { now - $0 < Self.pause } ?? false
            guard stage != state.lastStage || !isRecent else { return false }
            state.lastProgress = now
            state.lastStage = stage
            return true
        }
        if isDue { write(.progress(progress)) }
    }

    /// How hard the job works: said at once when it is news, now and then while nothing else is.
    func pacing(_ pacing: Pacing) {
        let elapsedSeconds = elapsedSeconds
        let progress = state.withLock { state -> JobProgress? in
            let now = clock.now()
            let isNews =
                pacing.state != state.pacing?.state || pacing.reason != state.pacing?.reason
            state.pacing = pacing
            let isRecent = state.lastPacing.map { now - $0 < Self.pacingPause } ?? false
            guard isNews || !isRecent, var last = state.last else { return nil }
            state.lastPacing = now
            last.pacing = pacing
            last.elapsedSeconds = elapsedSeconds
            last.stopsInSeconds = state.deadline?.secondsLeft
            state.last = last
            return last
        }
        if let progress { write(.progress(progress)) }
    }

    /// Writes how it has ended, and nothing after it: the thread that paces the work may have found
    /// something to say meanwhile, and who reads takes the last message for the end.
    func end(_ message: WorkerMessage) { write(message, isLast: true) }

    /// A daemon that is gone is no reason to stop: finished work stays done.
    private func write(_ message: WorkerMessage, isLast: Bool = false) {
        guard let line = try? JSONEncoder().encode(message) else { return }
        state.withLock { state in
            guard !state.hasEnded else { return }
            state.hasEnded = isLast
            _ = try? descriptor.writeAll(Array(line) + [0x0a])
        }
    }
}
