// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import Protocol
import Testing

@testable import Worker

@Suite struct RemainderTests {
    /// What a plan has left, as the executor gives it.
    private func left(_ mebibytes: UInt64) -> Remainder {
        guard mebibytes > 0 else { return Remainder() }
        return Remainder([
            Replacement(
                address: LogicalAddress(0), generation: Generation(1),
                diskBytes: .mebibytes(mebibytes), contentBytes: .mebibytes(2 * mebibytes),
                pieces: [], rewriting: .plain, predictedSaving: .mebibytes(mebibytes / 2))
        ])
    }

    @Test func whatWasDoneTellsHowLongTheRestTakes() {
        var sum = JobRemainder(forSeconds: 60)
        sum.add(left(30), of: .mebibytes(40), isPredicted: true, seconds: 20)
        #expect(sum.plannedBytes == 40 << 20 && sum.leftBytes == 30 << 20)
        #expect(sum.leftContentBytes == 60 << 20 && sum.predictedBytes == 15 << 20)
        #expect(sum.restSeconds == 60)
        #expect(!sum.isNothing)
    }

    @Test func whereNothingWasDoneNothingTells() {
        var sum = JobRemainder(forSeconds: 60)
        sum.add(left(40), of: .mebibytes(40), isPredicted: false, seconds: 20)
        #expect(sum.restSeconds == nil && sum.predictedBytes == nil)
    }

    @Test func aFileSystemThatIsDoneCountsInTheWholeAndOneWithoutAPlanInNone() {
        var sum = JobRemainder(forSeconds: 60)
        sum.add(left(0), of: .mebibytes(10), isPredicted: false, seconds: 1)
        #expect(sum.isNothing)
        sum.add(left(5), of: .mebibytes(10), isPredicted: false, seconds: 3)
        #expect(sum.plannedBytes == 20 << 20 && sum.leftBytes == 5 << 20)
        #expect(sum.restSeconds == 3)
        sum.addUnplanned(known: (bytes: 3, of: 8))
        sum.addUnplanned(known: nil)
        #expect(sum.unplannedFileSystems == 2)
        #expect(sum.knownBytes == 3 && sum.toKnowBytes == 8)
        #expect(sum.restSeconds == nil, "of these nobody knows")
        #expect(!sum.isNothing)
    }
}
