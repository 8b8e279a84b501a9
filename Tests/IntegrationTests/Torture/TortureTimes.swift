// SPDX-License-Identifier: GPL-2.0-or-later

/// How long qubesd's driver took for what it did, by what was beside it. To be printed, never to be
/// judged: machines are noisy.
struct TortureTimes {
    /// What an operation of the driver has met.
    struct Beside: Hashable {
        /// A job of ours was running when it began.
        let isJob: Bool
        /// The qube ran whose volume it was about.
        let isRunning: Bool

        static let all = [true, false].flatMap { isRunning in
            [true, false].map { Beside(isJob: $0, isRunning: isRunning) }
        }

        var description: String {
            "of \(isRunning ? "running" : "halted") qubes, \(isJob ? "beside a job" : "no job")"
        }
    }

    private var times: [Beside: [Duration]] = [:]

    /// How many operations there were.
    var count: Int { times.values.reduce(0) { $0 + $1.count } }

    /// How many of them had a job beside them.
    var countBesideJobs: Int {
        times.reduce(0) { $0 + ($1.key.isJob ? $1.value.count : 0) }
    }

    mutating func add(_ time: Duration, _ beside: Beside) {
        times[beside, default: []].append(time)
    }

    mutating func add(_ other: TortureTimes) { times.merge(other.times) { $0 + $1 } }

    /// A line for each kind that there was.
    var lines: [String] {
        Beside.all.compactMap { beside in
            guard let sorted = times[beside]?.sorted(), let last = sorted.last else { return nil }
            func part(_ percent: Int) -> Duration { sorted[(sorted.count - 1) * percent / 100] }
            return "driver operations \(beside.description): \(sorted.count), p50"
                + " \(Self.text(part(50))), p99 \(Self.text(part(99))), at most \(Self.text(last))"
        }
    }

    private static func text(_ time: Duration) -> String {
        let (seconds, attoseconds) = time.components
        let tenths = (seconds * 1_000_000 + attoseconds / 1_000_000_000_000) / 100
        return "\(tenths / 10).\(tenths % 10) ms"
    }
}
