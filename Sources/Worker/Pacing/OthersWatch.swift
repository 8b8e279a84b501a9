// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls
internal import SystemPackage

/// Keeps an eye on what others do with a file system, for as long as a job works on it: once a
/// second, as to go through the machine's processes costs some milliseconds, and at once when
/// somebody has started a program that may send.
///
/// The kernel refuses to send what is being shared into at that moment. Between a program's start
/// and its call to the kernel are some milliseconds, within which a job can leave off.
final class OthersWatch: Sendable {
    /// Programs that send; there may be more of them.
    static let senders: [FilePath] = [
        "/usr/bin/btrfs", "/usr/sbin/btrfs", "/bin/btrfs", "/sbin/btrfs", "/usr/local/bin/btrfs",
        "/usr/local/sbin/btrfs",
    ]
    /// How long an answer is taken for true.
    private static let memory = Duration.seconds(1)
    /// How long a process may take from its start to its own name.
    private static let patience = Duration.milliseconds(100)

    private struct State {
        var answer: (at: ContinuousClock.Instant, work: String?)?
        /// Who has started, since when, by number.
        var started: [Int32: ContinuousClock.Instant] = [:]
    }

    private let others: OthersAtWork
    private let lock: JobLock
    private let starts: ProgramStarts?
    private let clock: MachineClock
    private let state = Monitor(State())

    init(
        _ others: OthersAtWork, lock: JobLock, starts: ProgramStarts?, clock: MachineClock
    ) {
        self.others = others
        self.lock = lock
        self.starts = starts
        self.clock = clock
    }

    /// What they do, in a word or two; nil when nobody does anything that a job should not be
    /// beside.
    /// - Parameter isSuspected: somebody must have begun something: nothing that was known is.
    func work(isSuspected: Bool) -> String? {
        state.withLock { state in
            let now = clock.now()
            if !isSuspected, let answer = state.answer, now - answer.at < Self.memory {
                return answer.work
            }
            let work = others.work ?? lock.holder
            state.answer = (now, work)
            return work
        }
    }

    /// Somebody has started a program that sends, and either does or may be about to.
    var isSomebodyStarting: Bool {
        guard let starts else { return false }
        return state.withLock { state in
            let now = clock.now()
            for process in starts.processes() {
                state.started[process] = now
                // Of some the kernel says that there were, and not which.
                if process == 0 { state.answer = nil }
            }
            state.started = state.started.filter { process, since in
                switch others.deed(of: "\(process)") {
                case .transfers: true
                case .other, .backsUp: false
                case .undecided: now - since < Self.patience
                }
            }
            return !state.started.isEmpty
        }
    }
}
