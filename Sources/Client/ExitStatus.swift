// SPDX-License-Identifier: GPL-2.0-or-later

/// How `qvm-btrfs` ends. The numbers are a promise: scripts rely on them, `docs/client.md` lists
/// them.
public enum ExitStatus: Int32, Sendable, CaseIterable {
    /// Done.
    case done = 0
    /// The job or the call failed.
    case failed = 1
    /// The command line, or the request, is wrong.
    case usage = 2
    /// Policy refused the call, or the service could not be reached.
    case refused = 3
    /// No such qube, volume or job; a forbidden one gets the same answer.
    case notFound = 4
    /// Too many jobs or calls wait already.
    case busy = 5
    /// The job was interrupted: what it had finished stays done, and it can be started again.
    case jobInterrupted = 6
    /// A check has found something that should be mended.
    case findings = 7
    /// The job was cancelled: what it had finished stays done.
    case jobCancelled = 8
    /// The job did all it could, and the disk did not give back parts of the images.
    case unreadable = 9
    /// A qube that was to be trimmed was not, or one that was started for it has not shut down.
    case notTrimmed = 10
    /// The job is done, and there was too little room for some of it.
    case lackedRoom = 11
    /// An image holds other bytes than before, and nobody wrote to it, by its time stamps.
    case different = 12
    /// Ctrl-C, or another signal that asked the client to end.
    case interrupted = 130
}
