// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import Protocol
import Testing

@testable import Worker

@Suite struct UnreadableNamesTests {
    private func device(_ reads: UInt64, _ corruptions: UInt64 = 0) -> DeviceErrors {
        DeviceErrors(identifier: 1, path: "/dev/sda2", reads: reads, corruptions: corruptions)
    }

    @Test func whatTheKernelCountedMeanwhileIsTheDifference() {
        var result = JobResult(problems: [])
        result.add(errorsOf: [device(5, 3)], since: [device(5, 3)])
        #expect(result.deviceErrors == nil)
        result.add(errorsOf: [device(7, 3)], since: [device(5, 3)])
        #expect(result.deviceErrors == [DeviceErrorCounts(device: "/dev/sda2", reads: 2)])
        // Somebody has set the counters to zero in between.
        result.add(errorsOf: [device(1)], since: [device(5)])
        #expect(result.deviceErrors?.last == DeviceErrorCounts(device: "/dev/sda2", reads: 1))
        // A device that was added while the job ran.
        result.add(errorsOf: [device(1)], since: [])
        #expect(result.deviceErrors?.count == 3)
    }

    @Test func moreThanAListHoldsIsCounted() {
        var result = JobResult(problems: [])
        result.add(unreadable: [])
        #expect(result.unreadable == nil && result.unreadableCount == nil)
        let places = (0..<70).map {
            Protocol.UnreadablePlace(
                qube: "work", volume: "private", image: "i", offsetBytes: UInt64($0) << 20,
                lengthBytes: 4096)
        }
        result.add(unreadable: Array(places.prefix(30)))
        result.add(unreadable: Array(places.dropFirst(30)))
        #expect(result.unreadable == Array(places.prefix(Limits.namedItems)))
        #expect(result.unreadableCount == 70)
    }

    @Test func placesThatTouchAreOne() {
        let inode = InodeIdentifier(subvolume: .topmostSubvolume, number: 300)
        let other = InodeIdentifier(subvolume: .topmostSubvolume, number: 301)
        func place(_ inode: InodeIdentifier, _ range: Range<UInt64>) -> Engine.UnreadablePlace {
            Engine.UnreadablePlace(
                inode: inode, range: FileOffset(range.lowerBound)..<FileOffset(range.upperBound))
        }
        let joined = Engine.UnreadablePlace.joined([
            place(other, 4096..<8192), place(inode, 8192..<12288), place(inode, 0..<4096),
            place(inode, 4096..<8192), place(inode, 4096..<8192), place(inode, 20480..<24576),
        ])
        #expect(
            joined == [
                place(inode, 0..<12288), place(inode, 20480..<24576), place(other, 4096..<8192),
            ])
    }

    @Test("A copy that one of several knows is not lost, in whatever order they come")
    func aCopyStays() {
        let inode = InodeIdentifier(subvolume: .topmostSubvolume, number: 300)
        let copy = Replacement.Place(
            inode: InodeIdentifier(subvolume: .topmostSubvolume, number: 301),
            offset: FileOffset(40960))
        let bare = Engine.UnreadablePlace(
            inode: inode, range: FileOffset(4096)..<FileOffset(8192))
        var known = bare
        known.copy = copy
        #expect(Engine.UnreadablePlace.joined([bare, known]) == [known])
        #expect(Engine.UnreadablePlace.joined([known, bare]) == [known])
        var longer = bare
        longer.range = FileOffset(0)..<FileOffset(8192)
        #expect(
            Engine.UnreadablePlace.joined([longer, known]).map(\.copy?.offset)
                == [FileOffset(36864)])
    }
}
