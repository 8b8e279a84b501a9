// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// The daemon's own bounds, by name; those of the wire are `Limits`. Tests make them smaller.
struct Bounds: Sendable {
    /// The most connections that have not said who calls; with one more another goes, see
    /// `Entrance`. qrexec connects before the qube has said anything: nobody's place is theirs.
    var strangers = 32
    /// The longest time that a connection may take to say who calls, in seconds.
    var headerSeconds = 2.0
    /// The most connections that dom0 may hold; no qube's count there.
    var connectionsOfDom0 = 32
    /// The most connections that one qube may hold, so that no qube can shut out the others.
    var connectionsPerCaller = 16
    /// The most connections that all qubes together may hold.
    var connectionsOfQubes = 56
    /// The most connections that are given time to read that they are refused; others may lose it.
    var refusedConnections = 256
    /// The longest time that one of those may take to end, in seconds.
    var refusalSeconds = 2.0
    /// The longest time that the rest of a request may take to arrive, in seconds.
    var requestSeconds = 30
    /// The longest time that one piece of a reply may wait for its reader, in seconds.
    var writeSeconds = 30
    /// The most bytes of a reply that are written at once.
    var pieceBytes = 64 * 1024
    /// The most bytes that are read and dropped after a refusal, so that the client gets to read
    /// it.
    var lingerBytes = 1024 * 1024
    /// The most accounts (reports, checks, looks at new data) that are made at a time for qubes,
    /// one for each of them at most.
    var accountWorkers = 1
    /// The same for dom0, besides.
    var accountWorkersOfDom0 = 2
    /// For how long what one account has found answers others, in seconds; a job that ends makes it
    /// worthless at once.
    var accountSeconds = Double(Limits.accountAgeSeconds)
    /// The least time between two accounts that one qube is given, in seconds.
    var accountSpacingSeconds = 0.05
    /// How long qubesd's word on what a caller sees counts, in seconds.
    var visibilitySeconds = 2.0
    /// The longest time that a report waits for its turn, in seconds.
    var reportWaitSeconds = 60.0
    /// The longest time that the worker of a report may take, in seconds.
    var reportSeconds = 3600.0
    /// The time between two looks at whether a job that runs may go on, in seconds.
    var standingSeconds = 10.0
    /// The most jobs that wait for their turn.
    var queuedJobs = Limits.queuedJobs
    /// The most of them that one qube may have; dom0 is bound by `queuedJobs` alone.
    var queuedJobsPerCaller = Limits.queuedJobsPerCaller
    /// The most of them that all qubes together may have.
    var queuedJobsOfQubes = Limits.queuedJobsOfQubes
    /// The longest time in all that a job which runs may be paused while others wait for it, in
    /// seconds; then it is interrupted. Nobody may hold all others, timers of dom0 among them.
    var pausedSeconds = 3600.0
    /// The most workers of jobs: one works, others are held or were set aside. The last place is
    /// dom0's.
    var workers = 3
    /// The most jobs that a qube may ask for at once,
    var submissions = 60.0
    /// and how many of those come back in a second.
    var submissionsPerSecond = 0.2
    /// The most jobs of dom0 that are over and kept.
    var historyJobs = Limits.historyJobs / 2
    /// The most of one qube.
    var historyJobsPerCaller = 40
    /// The most of all qubes together.
    var historyJobsOfQubes = Limits.historyJobs / 2
    /// The longest time that a worker may take to end once its job is cancelled, in seconds; then
    /// it is killed. It acts within one; what takes time is the commit before the figures are read.
    var cancelSeconds = 120.0
    /// The longest time between two events of a watch, in seconds.
    var heartbeatSeconds = Double(Limits.heartbeatSeconds)
    /// The time between two events of a hold, in seconds.
    var beatSeconds = Double(Limits.beatSeconds)
    /// The longest time that a hold lasts, and that a job is held by all of them, in seconds.
    /// Nobody may hold all others, timers of dom0 among them.
    var holdSeconds = Double(Limits.holdSeconds)
    /// The most holds that one caller may have at once.
    var holdsPerCaller = 4
    /// The longest time that a worker may take to end when its daemon does, or when its job may not
    /// go on, in seconds; then it is killed. It takes back what is half moved: that killed at once,
    /// it would leave standing twice.
    var graceSeconds = 15.0
    /// The longest time that the daemon waits at its end for the running job to be noted down, the
    /// worker's grace included.
    var stopSeconds = 20.0
    /// The most lines of the log that a caller other than dom0 may have written at once for its
    /// calls; what is beyond is counted in one line.
    var logLines = 200.0
    /// How many of those come back in a second.
    var logLinesPerSecond = 1.0
    /// With how many of them what was left out is written down.
    var logLinesRefilled = 5.0
}
