// SPDX-License-Identifier: GPL-2.0-or-later
internal import Glibc

extension Signals {
    /// Blocks SIGTERM and SIGINT in this thread and in those it starts from here on
    /// (`pthread_sigmask(3)`), so that `waitForTermination` alone takes them. Children of
    /// `ChildProcess` start with nothing blocked.
    public static func blockTermination() {
        var signals = termination()
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Waits until one of the two comes (`sigwait(3)`).
    public static func waitForTermination() {
        var signals = termination()
        var signal: Int32 = 0
        unsafe sigwait(&signals, &signal)
    }

    private static func termination() -> sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGTERM)
        unsafe sigaddset(&signals, SIGINT)
        return signals
    }
}
