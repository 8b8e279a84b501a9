// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

extension Signals {
    /// The signals that ask a process to end.
    public enum Ending: Int32, Sendable, CaseIterable {
        /// The terminal is gone (SIGHUP).
        case hangUp = 1
        /// Ctrl-C (SIGINT).
        case interrupt = 2
        /// What `kill` sends (SIGTERM).
        case terminate = 15
    }

    /// From here on these signals end nothing by themselves: a thread of our own takes each one
    /// (`sigwait(3)`) and calls `handler` with it. A signal that our parent has set to be ignored
    /// stays ignored, as `nohup` wants it.
    ///
    /// Only the calling thread and those it starts afterwards are covered: call it before any
    /// other thread is started.
    public static func take(
        _ signals: [Ending], handler: @escaping @Sendable (Ending) -> Void
    ) throws(Errno) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals where csystemcalls_is_ignored(signal.rawValue) == 0 {
            unsafe sigaddset(&set, signal.rawValue)
        }
        let status = unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        if status != 0 { throw Errno(rawValue: status) }
        let taken = set
        try WorkThread.start {
            var set = taken
            while true {
                var number: Int32 = 0
                guard unsafe sigwait(&set, &number) == 0 else { return }
                if let signal = Ending(rawValue: number) { handler(signal) }
            }
        }
    }
}
