// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import Testing

@testable import Client

/// How a time is typed, and what becomes of it.
@Suite struct TimeArgumentsTests {
    @Test(arguments: [
        ("45s", 45), ("90m", 5400), ("2h", 7200), ("1h30m", 5400), ("1d", 86400), ("7d", 604_800),
        ("1d2h3m4s", 93_784), ("1s", 1), ("604800s", 604_800), ("0h1m", 60), ("08m", 480),
    ])
    func aLengthOfTimeHasUnits(text: String, seconds: Int) {
        #expect(TimeSpan(argument: text)?.seconds == seconds)
    }

    @Test(arguments: [
        "", "2", "h", "2x", "2h30", "30m2h", "1h1h", "2 h", "-2h", "+2h", "1.5h", "0s", "0h", "8d",
        "7d1s", "604801s", "9999999s", "99999999999999999999h", "2H", "\u{0662}h", "2h\u{301}",
    ])
    func whatIsNoneOrTooLongIsRefused(text: String) {
        #expect(TimeSpan(argument: text) == nil)
    }

    @Test(arguments: [("06:00", 360), ("6:00", 360), ("00:00", 0), ("23:59", 1439)])
    func aTimeOfDayIsReadAsAClockShowsIt(text: String, minutes: Int) {
        #expect(TimeOfDay(argument: text)?.minutes == minutes)
    }

    @Test(arguments: [
        "", "6", "24:00", "06:60", "6:0", "06:00:00", "-6:00", "06.00", "06:", ":00", "006:00",
        "06:00 ", "\u{0660}6:00",
    ])
    func whatNoClockShowsIsRefused(text: String) {
        #expect(TimeOfDay(argument: text) == nil)
    }

    private func next(_ text: String, after now: Int64, _ offset: (Int64) -> Int) throws -> Int64 {
        try #require(TimeOfDay(argument: text)).next(after: now, offsetSeconds: offset)
    }

    /// 2026-03-28 00:00 UTC; the clock of central Europe goes forward a day and an hour later.
    private let march: Int64 = 1_774_656_000
    private func spring(_ moment: Int64) -> Int { moment < march + 25 * 3600 ? 3600 : 7200 }

    /// 2026-10-24 00:00 UTC; it goes back a day and an hour later.
    private let october: Int64 = 1_792_800_000
    private func autumn(_ moment: Int64) -> Int { moment < october + 25 * 3600 ? 7200 : 3600 }

    @Test func theNextMomentMayBeTomorrow() throws {
        let hour: Int64 = 3600
        for offset in [-11 * 3600, -3600, 0, 19_800, 14 * 3600] {
            let noon = 20_000 * 24 * hour + 12 * hour - Int64(offset)
            #expect(try next("13:30", after: noon) { _ in offset } == noon + hour * 3 / 2)
            #expect(try next("06:00", after: noon) { _ in offset } == noon + 18 * hour)
            #expect(try next("00:00", after: noon) { _ in offset } == noon + 12 * hour)
            // Now is not the next time.
            #expect(try next("12:00", after: noon) { _ in offset } == noon + 24 * hour)
            #expect(try next("12:00", after: noon - 1) { _ in offset } == noon)
        }
    }

    @Test func aNightInWhichTheClockGoesForwardIsShorter() throws {
        // 23:00 of the 28th by the clock there.
        let evening = march + 22 * 3600
        #expect(try next("06:00", after: evening, spring) == evening + 6 * 3600)
        #expect(try next("01:30", after: evening, spring) == evening + 5 * 1800)
        // 02:30 there is not: half an hour after the clock was put forward.
        #expect(try next("02:30", after: evening, spring) == march + 25 * 3600 + 1800)
        #expect(try next("03:00", after: evening, spring) == march + 25 * 3600)
        // Past it, tomorrow has it.
        let morning = march + 26 * 3600
        #expect(try next("02:30", after: morning, spring) == march + 48 * 3600 + 1800)
    }

    @Test func aNightInWhichTheClockGoesBackIsLonger() throws {
        let evening = october + 21 * 3600  // 23:00
        #expect(try next("06:00", after: evening, autumn) == evening + 8 * 3600)
        // 02:30 comes twice: the first of both, and after it the second.
        let first = october + 24 * 3600 + 1800
        #expect(try next("02:30", after: evening, autumn) == first)
        #expect(try next("02:30", after: first, autumn) == first + 3600)
        #expect(try next("02:30", after: first + 3600, autumn) == first + 25 * 3600)
    }

    // MARK: Commands

    private let accepted = ScriptedService.Step.answer(
        Envelope.reply(Array("{\"version\":1,\"job\":\"\(Sample.job)\"}".utf8)).encoded())

    private let noon = WallClock(
        machine: MachineClock(epochSeconds: { 43_200 }, now: { .now }), offsetSeconds: { _ in 0 })

    @Test(arguments: ["compress", "dedupe", "optimize", "defragment", "sparsify"])
    func theTimeIsSentWhereItIsAskedFor(command: String) throws {
        let run = try Run([command, "--all", "--no-wait", "--for", "1h30m"], [accepted])
        #expect(run.calls[0].hasSuffix("\0" + #"{"forSeconds":5400,"version":1}"#))
        let until = try Run(
            [command, "--no-wait", "--until", "06:00"], [accepted], clock: noon)
        #expect(
            until.calls[0].hasSuffix(
                "\0" + #"{"forSeconds":64800,"version":1,"waitCounts":true}"#))
        let without = try Run([command, "--no-wait"], [accepted])
        #expect(without.calls[0].hasSuffix("\0" + #"{"version":1}"#))
    }

    @Test(arguments: [
        (["--for", "2"], "1s to 7d"), (["--for", "8d"], "1s to 7d"), (["--until", "6"], "06:00"),
        (["--for", "2h", "--until", "06:00"], "Either --for or --until"),
    ])
    func aBadTimeIsAnsweredWithTheForm(words: [String], remedy: String) throws {
        let run = try Run(["optimize"] + words)
        #expect(run.status == .usage && run.calls.isEmpty)
        #expect(run.error.contains(remedy), "\(run.error)")
    }

    @Test func anEstimateTakesNoTime() throws {
        #expect(try Run(["estimate", "--for", "2h"]).status == .usage)
    }

    @Test func ofSeveralWithoutWaitingNobodyTellsWhatIsLeft() throws {
        let run = try Run(["dedupe", "work", "vault", "--for", "2h", "--no-wait"])
        #expect(run.status == .usage && run.error.contains("--all for one job"))
        // A moment is the same for all of them.
        let until = try Run(
            ["dedupe", "work", "vault", "--until", "13:00", "--no-wait"], [accepted, accepted],
            clock: noon)
        #expect(until.calls.count == 2)
        #expect(until.calls.allSatisfy { $0.contains(#""forSeconds":3600"#) })
    }

    private func ended(afterSeconds seconds: Double) throws -> ScriptedService.Step {
        var record = Sample.record(.done)
        record.result?.elapsedSeconds = seconds
        return .answer(try Envelope.answer(record).encoded())
    }

    @Test func theTimeIsForAllOfThemTogether() throws {
        let run = try Run(
            ["dedupe", "work", "vault", "third", "fourth:root", "--for", "10m"],
            [
                accepted, try ended(afterSeconds: 400.5), accepted, try ended(afterSeconds: 300),
            ])
        #expect(run.status == .done)
        let starts = run.calls.filter { $0.hasPrefix("btrfs.Dedupe") }
        #expect(starts.count == 2)
        #expect(starts.first?.contains(#""forSeconds":600"#) == true)
        #expect(starts.last?.contains(#""forSeconds":199"#) == true)
        #expect(run.error.hasSuffix("Not begun, as the time is over: third, fourth:root.\n"))
    }

    @Test func untilAMomentEachGetsWhatTheClockLeaves() throws {
        let now = Monitor<Int64>(43_200)
        let machine = MachineClock(
            epochSeconds: {
                now.withLock {
                    $0 += 600
                    return $0
                }
            }, now: { .now })
        let clock = WallClock(machine: machine, offsetSeconds: { _ in 0 })
        let run = try Run(
            ["dedupe", "work", "vault", "third", "--until", "12:40"],
            [accepted, try ended(afterSeconds: 1), accepted, try ended(afterSeconds: 1)],
            clock: clock)
        let starts = run.calls.filter { $0.hasPrefix("btrfs.Dedupe") }
        #expect(starts.count == 2)
        #expect(starts.first?.contains(#""forSeconds":1200"#) == true)
        #expect(starts.last?.contains(#""forSeconds":600"#) == true)
        #expect(run.error.hasSuffix("Not begun, as the time is over: third.\n"))
    }
}
