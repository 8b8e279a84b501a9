// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Protocol
import Testing

@testable import Engine
@testable import Worker

@Suite struct SettledJobsTests {
    private let digest = SurveyDigest(Survey(), scope: Scope(volumes: [], includesLiveOnly: false))

    private func leftAlone(_ reason: LeftAloneReason) -> LeftAlone {
        var left = LeftAlone()
        left.add(reason, extents: 3, diskBytes: .mebibytes(2))
        return left
    }

    @Test func whatIsSettledIsKnownAgainWithWhatWasLeft() throws {
        var jobs = SettledJobs()
        jobs.remember(.dedupe(running: false), at: digest, leaving: leftAlone(.doesNotShrink))
        let read = try #require(SettledJobs(decoding: jobs.encoded()))
        #expect(
            read.leftAlone(by: .dedupe(running: false), at: digest) == leftAlone(.doesNotShrink))
        #expect(read.leftAlone(by: .defragment(running: false), at: digest) == nil)
    }

    /// What is behind them may have gone without a trace in the survey: a file outside of it, a
    /// flag, free space. Such a job is planned again.
    @Test(arguments: [
        LeftAloneReason.changedMeanwhile, .stillUsed, .unreadable, .refused, .outOfSpace,
        .immutable, .tooManyReferences, .unalignedEnd, .beingSent, .quotaFull, .swapFile,
    ])
    func aReasonThatMayPassSettlesNothing(_ reason: LeftAloneReason) {
        var jobs = SettledJobs()
        jobs.remember(.dedupe(running: false), at: digest, leaving: leftAlone(.doesNotShrink))
        jobs.remember(.dedupe(running: false), at: digest, leaving: leftAlone(reason))
        #expect(jobs.leftAlone(by: .dedupe(running: false), at: digest) == nil)
    }

    @Test func theOldestIsForgottenFirst() {
        var jobs = SettledJobs()
        jobs.remember(.dedupe(running: false), at: digest, leaving: LeftAlone())
        for level in 1...SettledJobs.limit {
            jobs.remember(
                .compress(level: level, running: false), at: digest, leaving: LeftAlone())
        }
        #expect(jobs.leftAlone(by: .dedupe(running: false), at: digest) == nil)
        #expect(
            jobs.leftAlone(by: .compress(level: 1, running: false), at: digest) == LeftAlone())
    }

    @Test func whatIsBrokenIsNothing() {
        #expect(SettledJobs(decoding: Array("[{".utf8)) == nil)
    }
}
