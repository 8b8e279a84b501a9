// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls
internal import SystemPackage

/// Looks twice a second, while a job works on a file system, whether that stands still. The thread
/// that looks asks nothing of the file system, so that nothing can hold it; another one tries, once
/// a second, to write nothing to a nameless file, which does not return while all is frozen.
final class StandstillWatch: Sendable {
    /// Leave to write that takes longer was not given.
    static let frozenSeconds = 2.0
    static let lookSeconds = 0.5
    static let trySeconds = 1.0

    private struct State {
        var isOver = false
        /// When leave was asked for; nil when it was given.
        var askedAt: Double?
        var lastAskedAt = -StandstillWatch.trySeconds
    }

    private let identity: String
    private let file: BtrfsScratch?
    private let report: @Sendable (Standstill?) -> Void
    /// Sleep of the machine is no time in which anything could have been answered.
    private let clock = SuspendingClock()
    private let started: SuspendingClock.Instant
    private let state = Monitor(State())

    /// - Parameters:
    ///   - file: nobody else writes to it or reads it, as whoever does may hold it for long.
    ///   - report: gets what is found with each look.
    init(
        _ fileSystem: FileSystem, file: BtrfsScratch?,
        report: @escaping @Sendable (Standstill?) -> Void
    ) {
        identity = fileSystem.identity.text
        self.file = file
        self.report = report
        started = clock.now
    }

    private var nowSeconds: Double { (clock.now - started).inSeconds }

    func start() throws(Errno) {
        if let file { try WorkThread.start { [self] in tryToWrite(file) } }
        try WorkThread.start { [self] in
            var devices = DeviceWatch()
            while self.state.wait(
                timeoutSeconds: Self.lookSeconds, until: { $0.isOver ? true : nil }) == nil
            {
                let states = DeviceState.all(ofFileSystem: identity)
                report(standstill(devices.look(states, nowSeconds: nowSeconds)))
            }
        }
    }

    /// No more looks.
    func stop() { state.withLock { $0.isOver = true } }

    /// What holds the device holds those who write, too: it is named first.
    private func standstill(_ device: Standstill?) -> Standstill? {
        let now = nowSeconds
        let isFrozen = state.withLock { state in
            guard file != nil else { return false }
            if let askedAt = state.askedAt { return now - askedAt >= Self.frozenSeconds }
            if now - state.lastAskedAt >= Self.trySeconds {
                state.askedAt = now
                state.lastAskedAt = now
            }
            return false
        }
        return device ?? (isFrozen ? .frozen : nil)
    }

    private func tryToWrite(_ file: BtrfsScratch) {
        while state.wait(until: { state in
            state.isOver ? false : state.askedAt == nil ? nil : true
        }) == true {
            // Whatever it says, it was let in.
            try? file.shared.descriptor.writeNothing()
            state.withLock { $0.askedAt = nil }
        }
    }
}
