// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// All jobs, in the order in which they came: what waits, what runs, and what is over, as far as it
/// is kept. Each caller has its own share of it, so that none pushes out what is another's. What
/// somebody is told of jobs comes out of `records(for:)`.
struct JobArchive: Sendable {
    /// Oldest first.
    private(set) var entries: [JobEntry]
    /// The qubes whose jobs hold.
    var holds = JobHolds()

    /// With the history, oldest first.
    init(history: [JobRecord]) {
        entries = history.map { JobEntry(record: $0, phase: .over) }
    }

    /// The jobs that a caller may know of, newest first.
    func records(for caller: Caller) -> [JobRecord] {
        entries.reversed().map(\.record).filter { caller.sees($0) }
    }

    subscript(_ job: String) -> JobEntry? {
        get { entries.last { $0.record.job == job } }
        set {
            guard let newValue, let place = entries.lastIndex(where: { $0.record.job == job })
            else { return }
            entries[place] = newValue
        }
    }

    mutating func append(_ entry: JobEntry) { entries.append(entry) }

    /// Forgets what is beyond the shares: of each caller its oldest, and of all qubes together the
    /// oldest of the one that has most.
    /// - Parameter ending: a job that is about to be over, and counts as if it were.
    /// - Returns: the ids of those that are gone.
    mutating func trim(_ bounds: Bounds, ending: String?) -> [String] {
        var kept: [String: [String]] = [:]
        for entry in entries where entry.record.isOver || entry.record.job == ending {
            kept[entry.record.caller, default: []].append(entry.record.job)
        }
        var gone: Set<String> = []
        func drop(_ count: Int, of caller: String) {
            let jobs = kept[caller, default: []]
            gone.formUnion(jobs.filter { $0 != ending }.prefix(max(0, count)))
            kept[caller] = jobs.filter { !gone.contains($0) }
        }
        for (caller, jobs) in kept {
            let most =
                caller == QubeName.machine ? bounds.historyJobs : bounds.historyJobsPerCaller
            drop(jobs.count - most, of: caller)
        }
        while true {
            let qubes = kept.filter { $0.key != QubeName.machine }
            let count = qubes.values.reduce(0) { $0 + $1.count }
            guard count > bounds.historyJobsOfQubes,
                let largest = qubes.max(by: {
                    ($0.value.count, $1.key) < ($1.value.count, $0.key)
                }), largest.value.contains(where: { $0 != ending })
            else { break }
            drop(1, of: largest.key)
        }
        let old = entries.map(\.record.job).filter(gone.contains)
        entries.removeAll { gone.contains($0.record.job) }
        return old
    }
}
