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

@Suite struct AccountTurnsTests {
    @Test func whoAsksMuchWaitsBehindWhoAsksLittle() {
        var turns = AccountTurns()
        let many = (0..<3).map { _ in turns.enter("many") }
        func served(_ number: UInt64, most: Int = 1) -> Bool { turns.serve(number, most: most) }
        let first = served(many[0])
        turns.leaveQueue(many[0])
        let few = turns.enter("few")
        // One at a time in all, and none of a qube that is served.
        let early = [served(few), served(many[1], most: 2)]
        turns.end("many")
        // It came before the other, and its qube was served already.
        let later = [served(many[1]), served(few)]
        turns.leaveQueue(few)
        turns.end("few")
        let last = served(many[1])
        #expect([first] + early + later + [last] == [true, false, false, false, true, true])
    }
}
