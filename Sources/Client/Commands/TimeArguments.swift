// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol
import SystemCalls

/// A length of time as it is typed: `90m`, `2h`, `1h30m`, `45s`, `2d`.
struct TimeSpan: ExpressibleByArgument, Equatable {
    /// Within `TimeLimit.seconds`.
    let seconds: Int

    private static let units: [(letter: Character, seconds: Int)] = [
        ("d", 86400), ("h", 3600), ("m", 60), ("s", 1),
    ]

    /// nil without a unit, with one twice or before a larger one, and beyond what may be asked for.
    init?(argument: String) {
        var rest = Substring(argument)
        var units = Self.units[...]
        var sum = 0
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            // No more digits than the longest time has in seconds.
            guard (1...6).contains(digits.count), let number = Int(digits),
                let letter = rest.dropFirst(digits.count).first,
                let unit = units.first(where: { $0.letter == letter })
            else { return nil }
            sum += number * unit.seconds
            units = units.drop { $0.letter != letter }.dropFirst()
            rest = rest.dropFirst(digits.count + 1)
        }
        guard TimeLimit.seconds.contains(sum) else { return nil }
        seconds = sum
    }

    static var defaultCompletionKind: CompletionKind { .list(["30m", "1h", "2h", "4h", "8h"]) }
}

/// A time of day on the clock on the wall: `06:00`.
struct TimeOfDay: ExpressibleByArgument, Equatable {
    /// After midnight, as the clock shows it.
    let minutes: Int

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, (1...2).contains(parts[0].count), parts[1].count == 2,
            parts.allSatisfy({ $0.allSatisfy { ("0"..."9").contains($0) } }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), hour < 24, minute < 60
        else { return nil }
        minutes = hour * 60 + minute
    }

    static var defaultCompletionKind: CompletionKind { .list(["06:00", "07:00", "08:00"]) }

    /// The next moment after `now` at which the clock shows it. Where the clock is put forward
    /// across it, as long after the change as it is after the hour that is left out; where it is
    /// put back, whichever of the two comes next.
    /// - Parameters:
    ///   - now: seconds since 1970, as the result.
    ///   - offsetSeconds: by how much the clock on the wall is ahead of UTC at a moment.
    func next(after now: Int64, offsetSeconds: (Int64) -> Int) -> Int64 {
        let day: Int64 = 86400
        let local = now + Int64(offsetSeconds(now))
        let midnight = local - (local % day + day) % day
        // A day may lack it, or have had it already.
        for start in [midnight, midnight + day, midnight + 2 * day] {
            let shown = start + Int64(minutes) * 60
            let offsets = [shown - day, shown + day].map { Int64(offsetSeconds($0)) }
            let moments = offsets.map { shown - $0 }
            let exact = moments.filter { $0 + Int64(offsetSeconds($0)) == shown }
            if let next = (exact.isEmpty ? [moments[0]] : exact).sorted().first(where: { $0 > now })
            {
                return next
            }
        }
        return now + day
    }
}

/// How long a job may work.
struct TimeOptions: ParsableArguments {
    @Option(
        name: .customLong("for"),
        help: ArgumentHelp(
            "Stop after this time, as 90m, 2h or 1h30m: 1s to 7d. The next run goes on there.",
            valueName: "time"))
    var span: TimeSpan?

    @Option(
        help: ArgumentHelp(
            "Stop when the clock shows this, as 06:00, the next time that it does.",
            valueName: "hh:mm"))
    var until: TimeOfDay?

    func validate() throws {
        if span != nil && until != nil {
            throw ValidationError("Either --for or --until, not both.")
        }
    }

    /// nil where the jobs take as long as they need.
    func budget(_ clock: WallClock) -> TimeBudget? {
        if let span { return .span(seconds: span.seconds) }
        return until.map {
            .moment($0.next(after: clock.now(), offsetSeconds: clock.offsetSeconds))
        }
    }
}

/// The clock on the wall, by the time of this machine.
struct WallClock {
    let machine: MachineClock
    /// By how many seconds it is ahead of UTC at a moment.
    var offsetSeconds: (Int64) -> Int = Moment.offsetSeconds

    /// Seconds since 1970.
    func now() -> Int64 { machine.epochSeconds() }
}

/// The time of all jobs of one command together, which run one after the other.
enum TimeBudget {
    /// So much work is left.
    case span(seconds: Int)
    /// All is to be over then, in seconds since 1970.
    case moment(Int64)

    /// What the next job may take; nil when nothing is left.
    func limit(_ clock: WallClock) -> TimeLimit? {
        let limit =
            switch self {
            case .span(let seconds): TimeLimit(forSeconds: seconds)
            case .moment(let end):
                TimeLimit(forSeconds: Int(clamping: end - clock.now()), waitCounts: true)
            }
        return TimeLimit.seconds.contains(limit.forSeconds) ? limit : nil
    }

    /// A job is over: what it has waited for its turn is nobody's work.
    mutating func spend(_ record: JobRecord) {
        guard case .span(let seconds) = self else { return }
        let between = record.startedAt.flatMap { start in record.endedAt.map { $0 - start } } ?? 0
        let elapsed = record.result?.elapsedSeconds ?? Double(max(0, between))
        self = .span(seconds: seconds - Int(min(max(0, elapsed), 1e9).rounded(.up)))
    }
}

/// A command that starts jobs which may be given a time.
protocol TimedJobCommand: JobCommand where Request: TimedRequest {
    var time: TimeOptions { get }
}

extension TimedJobCommand {
    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try startJobs(context, within: time.budget(context.clock))
    }

    /// Starts a job on each place, in the time that they have together.
    func startJobs(
        _ context: CommandContext, within budget: TimeBudget?
    ) throws(ClientError) -> ExitStatus {
        var budget = budget
        var late: [Place] = []
        let status = try start(context) { (place, start) throws(ClientError) in
            var request = request
            request.time = budget?.limit(context.clock)
            if budget != nil && request.time == nil {
                late.append(place)
                return .done
            }
            return try start(request) { budget?.spend($0) }
        }
        if !late.isEmpty {
            let names = late.map(\.text).joined(separator: ", ")
            context.console.note(
                Line("Not begun, as the time is over: \(names).", .warning))
        }
        return status
    }

    /// With `--no-wait` nobody is there to tell a job what the one before it has left.
    func validateTime() throws {
        guard time.span != nil, job.noWait, place.calls.count > 1 else { return }
        throw ValidationError(
            "--for is the time of all of them together, and with --no-wait nobody tells the next "
                + "one what is left of it. Leave out --no-wait, take --until, or take --all for "
                + "one job.")
    }
}
