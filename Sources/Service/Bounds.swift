// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// The daemon's own bounds, by name; those of the wire are `Limits`. Tests make them smaller.
struct Bounds: Sendable {
    /// The most connections at a time; one more is told to try again later.
    var connections = 64
    /// The most connections that one qube may hold, so that no qube can shut out the others. dom0
    /// is bound by `connections` alone.
    var connectionsPerCaller = 16
    /// The most connections that all qubes together may hold: the rest is for dom0.
    var connectionsOfQubes = 56
    /// The most connections beyond those that are told at leisure that there is no place.
    var refusedConnections = 256
    /// The longest time that one of those may take to end, in seconds.
    var refusalSeconds = 2
    /// The longest time that a request may take to arrive, in seconds.
    var requestSeconds = 30
    /// The longest time that one piece of a reply may wait for its reader, in seconds.
    var writeSeconds = 30
    /// The most bytes of a reply that are written at once.
    var pieceBytes = 64 * 1024
    /// The most bytes that are read and dropped after a refusal, so that the client gets to read
    /// it.
    var lingerBytes = 1024 * 1024
    /// The most reports that are made at a time.
    var reportWorkers = 2
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
    /// The most jobs that are over and kept.
    var historyJobs = Limits.historyJobs
    /// The longest time that a worker may take to end once its job is cancelled, in seconds; then
    /// it is killed. It acts within one; what takes time is the commit before the figures are read.
    var cancelSeconds = 120.0
    /// The longest time between two events of a watch, in seconds.
    var heartbeatSeconds = Double(Limits.heartbeatSeconds)
    /// The longest time that a worker may take to end when its daemon does, or when its job may not
    /// go on, in seconds; then it is killed. It takes back what is half moved: that killed at once,
    /// it would leave standing twice.
    var graceSeconds = 15.0
    /// The longest time that the daemon waits at its end for the running job to be noted down, the
    /// worker's grace included.
    var stopSeconds = 20.0
}
