// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// Writes messages to the daemon, a line each.
final class Output: Sendable {
    private let descriptor: FileDescriptor
    private let started = ContinuousClock.now
    private let state = Monitor(State())

    private struct State {
        var lastProgress: ContinuousClock.Instant?
        var lastStage: JobProgress.Stage?
    }

    /// Progress more often than this is not passed on.
    private static let pause = Duration.milliseconds(250)

    init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    /// Seconds since the worker started.
    var elapsedSeconds: Double {
        let elapsed = ContinuousClock.now - started
        return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }

    func progress(
        _ stage: JobProgress.Stage, doneBytes: UInt64 = 0, totalBytes: UInt64 = 0,
        savedBytes: UInt64 = 0
    ) {
        let isDue = state.withLock { state in
            let now = ContinuousClock.now
            let isRecent = state.lastProgress.map { now - $0 < Self.pause } ?? false
            guard stage != state.lastStage || !isRecent else { return false }
            state.lastProgress = now
            state.lastStage = stage
            return true
        }
        guard isDue else { return }
        send(
            .progress(
                JobProgress(
                    stage: stage, doneBytes: doneBytes, totalBytes: totalBytes,
                    savedBytes: savedBytes, elapsedSeconds: elapsedSeconds)))
    }

    /// A daemon that is gone is no reason to stop: finished work stays done.
    func send(_ message: WorkerMessage) {
        guard let line = try? JSONEncoder().encode(message) else { return }
        state.withLock { _ in _ = try? descriptor.writeAll(Array(line) + [0x0a]) }
    }
}
