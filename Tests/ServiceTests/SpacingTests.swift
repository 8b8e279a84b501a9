// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Service

@Suite struct SpacingTests {
    @Test func whoHasJustBeenAnsweredWaitsAndNobodyElse() {
        let spacing = Spacing(seconds: 3600)
        // The first of each goes on at once; that they come to an end at all says so.
        spacing.wait("work")
        spacing.wait("vault")
        let start = ContinuousClock.now
        let short = Spacing(seconds: 0.1)
        for _ in 0..<4 { short.wait("work") }
        #expect(ContinuousClock.now - start >= .milliseconds(300))
    }
}
