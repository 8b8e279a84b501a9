// SPDX-License-Identifier: GPL-2.0-or-later

/// Every bound of the wire, by name. Each has a test at the limit.
public enum Limits {
    /// The longest header in bytes, its NUL included. qrexec itself stops far below: a service and
    /// its argument take at most 255 bytes when they are to be found as a file.
    public static let headerBytes = 1024
    /// The longest payload of a request in bytes, as in the Admin API.
    public static let payloadBytes = 64 * 1024
    /// The longest argument in bytes.
    public static let argumentBytes = 128
    /// The longest reply that a client reads, in bytes.
    public static let replyBytes = 64 * 1024 * 1024
    /// The longest event in a stream, and the longest line between worker and daemon, in bytes.
    public static let eventBytes = 1024 * 1024
    /// The longest job order that a worker takes, in bytes.
    public static let orderBytes = 16 * 1024 * 1024
    /// The most jobs that wait for their turn.
    public static let queuedJobs = 32
    /// The most of them that one qube may have; dom0 is bound by `queuedJobs` alone.
    public static let queuedJobsPerCaller = 8
    /// The most of them that all qubes together may have: the rest of the queue is for dom0 and its
    /// timers.
    public static let queuedJobsOfQubes = 24
    /// The most jobs that history keeps, half of them dom0's; of each caller the oldest go first.
    public static let historyJobs = 200
    /// The most names of qubes in one list of a request.
    public static let requestNames = 1000
    /// The most names of files or reasons in one result; the rest is counted, not named.
    public static let namedItems = 50
    /// The longest text of a worker in a record, in characters.
    public static let textCharacters = 500
    /// The longest estimate in bytes: a job's whole result is one line.
    public static let estimateBytes = eventBytes / 4 * 3
    /// The most other places that are named for the content of an unreadable one.
    public static let namedCopies = 4
    /// The most volumes that an estimate names; those of the qubes that take least are left out.
    public static let estimatedVolumes = 500
    /// The most volumes that a verification has rows of; the others are in its total alone.
    public static let verifiedVolumes = 2000
    /// The most moments that the history of the machine's totals keeps; older ones are thinned out.
    public static let historyPoints = 400
    /// How old an account (a report, a check, a look at new data) may be that answers a qube, in
    /// seconds; dom0 gets a new one each time, and what a job has changed is always told.
    public static let accountAgeSeconds = 10
    /// The longest time between two events of a stream, in seconds.
    public static let heartbeatSeconds = 10
    /// The time between two events of a hold, in seconds: they find out whether its caller is still
    /// there.
    public static let beatSeconds = 1
    /// The longest time that a hold lasts, and that a job is held by all of them, in seconds.
    public static let holdSeconds = 3600
}
