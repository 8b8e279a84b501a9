// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Btrfs

@Suite("A look at trees") struct TreeLookTests {
    private static let first = ItemKey(objectIdentifier: 0, type: 0, offset: 0)
    private static let last = ItemKey(objectIdentifier: .max, type: .max, offset: .max)

    @Test func `Its parts leave no key out, wherever a tree is cut`() throws {
        let byNumber = { ItemKey(objectIdentifier: $0, type: 0, offset: 0) }
        for key in [byNumber, ItemKey.checksum(of:)] {
            for end in [0, 1, 2, 3, 4, 5, 257, 1 << 20, 1 << 40, (1 << 63) - 1] as [UInt64] {
                let ranges = TreeLook.ranges(from: Self.first, to: end, through: Self.last, key)
                #expect(ranges.first?.lowerBound == Self.first)
                #expect(ranges.last?.upperBound == Self.last)
                for (range, next) in zip(ranges, ranges.dropFirst()) {
                    #expect(range.upperBound.next == next.lowerBound)
                }
                if end > 1000 { #expect(ranges.count == 4) }
            }
        }
    }

    @Test func `In front of a key stands the one that it stands behind`() throws {
        let keys = [
            ItemKey(objectIdentifier: 5, type: 1, offset: 9),
            ItemKey(objectIdentifier: 5, type: 1, offset: 0),
            ItemKey(objectIdentifier: 5, type: 0, offset: 0), Self.last,
        ]
        for key in keys { #expect(key.previous?.next == key) }
        #expect(Self.first.previous == nil)
    }
}

@Suite("What Btrfs is at") struct ExclusiveOperationTests {
    @Test func `A balance that is paused, and nothing, hold nobody`() {
        for text in ["none\n", "balance paused\n", "", "\n"] {
            #expect(FileSystem.exclusiveOperation(text) == nil)
        }
        #expect(FileSystem.exclusiveOperation("balance\n") == "balance")
        #expect(FileSystem.exclusiveOperation("device replace\n") == "device replace")
    }
}
