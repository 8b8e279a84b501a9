// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

@Suite struct ProgressTests {
    private let full = ProgressMeter.Reading(
        progress: Sample.progress(
            done: 43, of: 100, saved: 5 * Sample.gibibyte, at: 60),
        bytesPerSecond: 1_320_702_444, secondsLeft: 125)

    @Test func aWideLineShowsAll() {
        #expect(
            ProgressLine.text(full, columns: 100)
                == "execute      [############..................]   43 %  1.23 GiB/s"
                + "  2 min 5 s left  saved 5.00 GiB")
    }

    @Test func theBarGetsNarrowerFirst() {
        #expect(
            ProgressLine.text(full, columns: 79)
                == "execute      [#####........]   43 %  1.23 GiB/s  2 min 5 s left  saved 5.00 GiB"
        )
    }

    /// It would take two minutes, and stops before.
    private var stopping: ProgressMeter.Reading {
        var reading = full
        reading.progress.stopsInSeconds = 72
        return reading
    }

    @Test func aJobThatStopsBeforeItsEndSaysWhen() {
        #expect(
            ProgressLine.text(stopping, columns: 80)
                == "execute      [###......]   43 %  1.23 GiB/s  stops in 1 min 12 s"
                + "  saved 5.00 GiB")
        // Where there is room it says both.
        #expect(
            ProgressLine.text(stopping, columns: 110).hasSuffix(
                "  stops in 1 min 12 s  saved 5.00 GiB  2 min 5 s left"))
    }

    @Test func aJobThatEndsInTimeSaysThatAlone() {
        var reading = full
        reading.progress.stopsInSeconds = 126
        #expect(ProgressLine.text(reading, columns: 79) == ProgressLine.text(full, columns: 79))
    }

    @Test func whenTheTimeIsOverWhatIsBegunIsFinished() {
        var reading = stopping
        reading.progress.stopsInSeconds = 0
        #expect(ProgressLine.text(reading, columns: 80).contains("  is stopping  "))
        let first = ProgressMeter.Reading(
            progress: reading.progress, bytesPerSecond: nil, secondsLeft: nil)
        #expect(ProgressLine.text(first, columns: 80).contains("is stopping"))
    }

    @Test func noLineIsWiderThanItsTerminal() {
        for columns in 0...200 {
            #expect(ProgressLine.text(stopping, columns: columns).count <= columns)
        }

        for columns in 0...200 {
            #expect(ProgressLine.text(full, columns: columns).count <= columns)
        }
    }

    @Test func aStageOfUnknownLengthHasNeitherBarNorPerCent() {
        let reading = ProgressMeter.Reading(
            progress: Sample.progress(.survey, done: 2048, of: 0, at: 1))
        #expect(ProgressLine.text(reading, columns: 80) == "survey       2.00 KiB")
    }

    @Test func aStageWithoutFiguresHasNoBlanksBehindIt() {
        let reading = ProgressMeter.Reading(
            progress: Sample.progress(.survey, done: 0, of: 0, at: 1))
        #expect(ProgressLine.text(reading, columns: 80) == "survey")
    }

    @Test func moreDoneThanThereIsFillsTheBarAndNoMore() {
        let reading = ProgressMeter.Reading(
            progress: Sample.progress(done: .max, of: 1, at: 1))
        let text = ProgressLine.text(reading, columns: 40)
        #expect(text.contains("#]"))
        #expect(text.count <= 40)
    }

    @Test func rateAndTimeLeftCountFromTheStagesStart() {
        var meter = ProgressMeter()
        _ = meter.read(Sample.progress(.survey, done: 900, of: 1000, at: 100))
        let first = meter.read(Sample.progress(done: 100, of: 1000, at: 110))
        #expect(first.bytesPerSecond == nil)
        let second = meter.read(Sample.progress(done: 300, of: 1000, at: 120))
        #expect(second.bytesPerSecond == 20)
        #expect(second.secondsLeft == 35)
    }

    @Test func tooShortATimeAndNothingDoneGiveNoRate() {
        var meter = ProgressMeter()
        _ = meter.read(Sample.progress(done: 0, of: 10, at: 1))
        #expect(meter.read(Sample.progress(done: 5, of: 10, at: 1.5)).bytesPerSecond == nil)
        #expect(meter.read(Sample.progress(done: 0, of: 10, at: 9)).bytesPerSecond == nil)
        #expect(meter.read(Sample.progress(done: 5, of: 0, at: 9)).secondsLeft == nil)
    }

    @Test func plainLinesComeOnStageChangeOrAfterTheInterval() {
        var pacer = ProgressPacer(intervalSeconds: 5)
        let shown = [
            Sample.progress(.survey, done: 0, of: 0, at: 0),
            Sample.progress(.survey, done: 0, of: 0, at: 4.9),
            Sample.progress(.survey, done: 0, of: 0, at: 5),
            Sample.progress(.match, done: 0, of: 0, at: 5.1),
            Sample.progress(.match, done: 0, of: 0, at: 6),
            Sample.progress(.match, done: 0, of: 0, at: 1),
        ].map { pacer.shows($0) }
        #expect(shown == [true, false, true, true, false, true])
    }

    @Test func aTerminalsLineIsRedrawnWithinItsWidth() throws {
        let capture = Capture()
        let console = capture.console(columns: 11)
        console.progress("0123456789abc")
        console.progress("short")
        console.note("end")
        #expect(capture.error == "\r012345678…\rshort     \nend\n")
    }

    @Test func elsewhereEachProgressIsALine() {
        let capture = Capture()
        let console = capture.console()
        console.progress("one")
        console.progress("two")
        #expect(capture.error == "one\ntwo\n")
    }
}
