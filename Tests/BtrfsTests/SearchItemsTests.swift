// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Btrfs

@Suite struct SearchItemsTests {
    struct Seen: Equatable {
        let key: ItemKey
        let generation: Generation
        let content: [UInt8]
    }

    /// What is handed out, and whether all of it fitted.
    static func read(_ bytes: [UInt8], count: Int) -> (whole: Bool, seen: [Seen]) {
        var seen: [Seen] = []
        let whole = unsafe SearchItems.forEach(in: bytes.span.bytes, count: count) {
            (key, generation, item) throws(Never) in
            let content = (0..<item.byteCount).compactMap { item.integer(at: $0, as: UInt8.self) }
            seen.append(Seen(key: key, generation: generation, content: content))
        }
        return (whole, seen)
    }

    static let first = Frame.searchItem(generation: 5, object: 257, offset: 4096, [1, 2, 3])
    static let second = Frame.searchItem(generation: 6, object: 258, offset: 7, type: 1, [])

    @Test func `Items come with their key, their generation and their content`() {
        let (whole, seen) = Self.read(Self.first + Self.second, count: 2)
        #expect(whole)
        #expect(
            seen == [
                Seen(
                    key: ItemKey(objectIdentifier: 257, type: 108, offset: 4096),
                    generation: Generation(5), content: [1, 2, 3]),
                Seen(
                    key: ItemKey(objectIdentifier: 258, type: 1, offset: 7),
                    generation: Generation(6), content: []),
            ])
    }

    @Test(arguments: [0, -1, Int.min]) func `No items are none, and whole`(count: Int) {
        #expect(Self.read(Self.first, count: count) == (true, []))
        #expect(Self.read([], count: count) == (true, []))
    }

    @Test func `What lies behind the counted items is not looked at`() {
        let (whole, seen) = Self.read(Self.first + [0xff, 0xff], count: 1)
        #expect(whole)
        #expect(seen.count == 1)
    }

    @Test func `A buffer cut at any byte of its last item is not whole`() {
        for length in Self.second.count..<(Self.first.count + Self.second.count) {
            let bytes = Array((Self.second + Self.first).prefix(length))
            let (whole, seen) = Self.read(bytes, count: 2)
            #expect(!whole)
            #expect(seen.count == 1, "cut to \(length)")
        }
    }

    @Test(arguments: [4, 1000, UInt32.max]) func `A length past the end is not whole`(
        length: UInt32
    ) {
        let bytes = Frame.searchItem(length: length, [1, 2, 3])
        #expect(Self.read(bytes, count: 1) == (false, []))
    }

    @Test func `A count larger than the content is not whole, after what is there`() {
        let (whole, seen) = Self.read(Self.first, count: Int.max)
        #expect(!whole)
        #expect(seen.count == 1)
    }

    @Test(arguments: [256, 0x0001_006c, UInt32.max]) func `A type beyond a byte is not whole`(
        type: UInt32
    ) {
        #expect(Self.read(Frame.searchItem(type: type, [1]), count: 1) == (false, []))
    }

    @Test func `What the caller throws ends the walk`() {
        struct Stop: Error {}
        var calls = 0
        var isStopped = false
        let bytes = Self.first + Self.second
        do throws(Stop) {
            _ = try unsafe SearchItems.forEach(in: bytes.span.bytes, count: 2) {
                (_, _, _) throws(Stop) in
                calls += 1
                throw Stop()
            }
        } catch {
            isStopped = true
        }
        #expect(isStopped)
        #expect(calls == 1)
    }

    @Test func `The key behind a key carries from offset to type to objectid`() {
        let key = ItemKey(objectIdentifier: 5, type: 7, offset: 9)
        #expect(key.next == ItemKey(objectIdentifier: 5, type: 7, offset: 10))
        let lastOffset = ItemKey(objectIdentifier: 5, type: 7, offset: .max)
        #expect(lastOffset.next == ItemKey(objectIdentifier: 5, type: 8, offset: 0))
        let lastType = ItemKey(objectIdentifier: 5, type: .max, offset: .max)
        #expect(lastType.next == ItemKey(objectIdentifier: 6, type: 0, offset: 0))
        #expect(ItemKey(objectIdentifier: .max, type: .max, offset: .max).next == nil)
    }

    @Test func `Keys are ordered by objectid, then type, then offset`() {
        let sorted = [
            ItemKey(objectIdentifier: 1, type: 200, offset: 9),
            ItemKey(objectIdentifier: 2, type: 1, offset: 8),
            ItemKey(objectIdentifier: 2, type: 2, offset: 1),
            ItemKey(objectIdentifier: 2, type: 2, offset: 3),
        ]
        #expect(sorted.reversed().sorted() == sorted)
        for key in sorted { #expect(key < key.next ?? key) }
    }
}

func == (left: (Bool, [SearchItemsTests.Seen]), right: (Bool, [SearchItemsTests.Seen])) -> Bool {
    left.0 == right.0 && left.1 == right.1
}
