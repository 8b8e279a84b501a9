// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Btrfs

@Suite("A look at trees") struct TreeLookTests {
    private static let first = ItemKey(objectIdentifier: 0, type: 0, offset: 0)
    private static let last = ItemKey(objectIdentifier: .max, type: .max, offset: .max)

    /// A part as it may be left in the middle of a tree, with ends and neighbours among them.
    private static func part(_ generator: inout SeededGenerator) -> TreeLook.Part {
        let numbers: [UInt64] = [0, 1, 2, 319, 1 << 38, (1 << 63) - 1, .max - 1, .max]
        func number() -> UInt64 {
            Bool.random(using: &generator)
                ? numbers.randomElement(using: &generator) ?? 0
                : .random(in: 0 ... .max, using: &generator)
        }
        func key() -> ItemKey {
            ItemKey(
                objectIdentifier: number(),
                type: [0, 108, .max].randomElement(using: &generator) ?? 1, offset: number())
        }
        let one = key()
        var other = key()
        switch Int.random(in: 0...2, using: &generator) {
        case 0: other.objectIdentifier = one.objectIdentifier
        case 1: other = one.next ?? one
        default: break
        }
        return TreeLook.Part(tree: .extents, from: min(one, other), through: max(one, other))
    }

    @Test func `A part that is divided leaves no key out`() {
        var generator = SeededGenerator(seed: 5)
        var divided = 0
        for _ in 0..<20_000 {
            let whole = Self.part(&generator)
            var first = whole
            guard let second = first.divide() else {
                #expect(first == whole)
                continue
            }
            divided += 1
            #expect(first.from == whole.from)
            #expect(first.from <= first.through)
            #expect(first.through.next == second.from)
            #expect(second.from <= second.through)
            #expect(second.through == whole.through)
        }
        #expect(divided > 10_000)
    }

    /// Who reads the one large file of a tree leaves half of it to another soon.
    @Test func `A single file is divided, wherever in it one is`() {
        var part = TreeLook.Part(
            tree: .topmostSubvolume,
            from: ItemKey(objectIdentifier: 319, type: 108, offset: 1 << 30))
        var turns = 0
        while part.through.objectIdentifier > 319, part.divide() != nil { turns += 1 }
        #expect(part.divide()?.from.offset == 2 << 30)
        #expect(turns < 16)
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
