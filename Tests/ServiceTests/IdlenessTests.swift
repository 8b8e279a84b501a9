// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Service

/// When a daemon ends that was asked to by SIGHUP.
@Suite struct IdlenessTests {
    /// What is answered to so many looks, each at the same.
    private func looks(
        _ count: Int, _ idleness: inout Idleness, hasJobs: Bool, isAnswering: Bool
    ) -> [Bool] {
        (0..<count).map { _ in idleness.mayEnd(hasJobs: hasJobs, isAnswering: isAnswering) }
    }

    private static let looksAtCalls = Int(Idleness.callsSeconds / Idleness.lookSeconds)

    @Test func jobsAreWaitedForAsLongAsTheyTake() {
        var idleness = Idleness()
        let during = looks(10_000, &idleness, hasJobs: true, isAnswering: false)
        let after = looks(1, &idleness, hasJobs: false, isAnswering: false)
        #expect(!during.contains(true) && after == [true])
    }

    @Test func noQubeKeepsItByCallsThatNeverEnd() {
        var idleness = Idleness()
        let during = looks(Self.looksAtCalls, &idleness, hasJobs: false, isAnswering: true)
        let after = looks(1, &idleness, hasJobs: false, isAnswering: true)
        #expect(!during.contains(true) && after == [true])
    }

    @Test func aJobThatComesMeanwhileIsWaitedForAgain() {
        var idleness = Idleness()
        let before = looks(Self.looksAtCalls, &idleness, hasJobs: false, isAnswering: true)
        let job = looks(1, &idleness, hasJobs: true, isAnswering: true)
        let after = looks(1, &idleness, hasJobs: false, isAnswering: true)
        #expect(!(before + job + after).contains(true))
    }
}
