// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@Suite struct FiguresTests {
    @Test func sharedIsDiskWithoutExclusive() {
        #expect(Figures(diskBytes: 10, exclusiveBytes: 4).sharedBytes == 6)
    }

    @Test func moreExclusiveThanDiskIsNothingShared() {
        #expect(Figures(diskBytes: 10, exclusiveBytes: 11).sharedBytes == 0)
    }

    @Test func nothingOnDiskHasNoRatio() {
        #expect(Figures(dataBytes: 10).ratio == nil)
        #expect(Figures(dataBytes: 10, diskBytes: 4).ratio == 2.5)
    }

    @Test func savedIsWhatTheDataOfAllFileSystemsShrankBy() {
        var result = Sample.result
        #expect(result.savedBytes == 5)
        result.after = [Sample.usage(dataUsedBytes: 10)]
        #expect(result.savedBytes == -1)
    }

    @Test func figuresBeyondAllBoundsAreSummedWithoutATrap() {
        var result = Sample.result
        result.before = [Sample.usage(dataUsedBytes: .max), Sample.usage(dataUsedBytes: .max)]
        result.after = []
        #expect(result.savedBytes == .max)
    }

    @Test(arguments: JobState.allCases)
    func onlyAQueuedRunningOrPausedJobIsNotOver(state: JobState) {
        var record = Sample.newRecord
        record.state = state
        record.endedAt = 1
        #expect(record.isOver == ![.queued, .running, .paused].contains(state))
    }
}
