// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import Testing

@testable import Worker

@Suite struct SpaceGuardTests {
    private let dedupe = SpaceGuard(needsDataRoom: false)
    private let compress = SpaceGuard(needsDataRoom: true)

    /// A device of 500 GiB, as full as is said.
    private func info(
        unallocated: UInt64 = 0, metadataFree: UInt64 = 0, dataFree: UInt64 = 0,
        reserve: UInt64 = 0, deviceMebibytes: UInt64 = 512_000
    ) -> SpaceInfo {
        var info = SpaceInfo()
        info.deviceBytes = .mebibytes(deviceMebibytes)
        info.unallocatedBytes = .mebibytes(unallocated)
        // One disk, data once and metadata twice.
        info.dataAllocatableBytes = .mebibytes(unallocated)
        info.metadataAllocatableBytes = .mebibytes(unallocated / 2)
        info.metadata.totalBytes = .mebibytes(1024 + metadataFree)
        info.metadata.usedBytes = .mebibytes(1024)
        info.reserveBytes = .mebibytes(reserve)
        info.data.totalBytes = .mebibytes(100_000 + dataFree)
        info.data.usedBytes = .mebibytes(100_000)
        return info
    }

    @Test func metadataHasRoomInItsChunksOrAsHalfOfWhatIsUnallocated() {
        #expect(dedupe.refusal(info(metadataFree: 256)) == nil)
        #expect(dedupe.refusal(info(metadataFree: 255)) != nil)
        #expect(dedupe.refusal(info(unallocated: 512)) == nil)
        #expect(dedupe.refusal(info(unallocated: 510)) != nil)
        #expect(dedupe.refusal(info(unallocated: 256, metadataFree: 128)) == nil)
    }

    @Test func whatTheFileSystemKeepsBackIsNotFree() {
        #expect(dedupe.refusal(info(metadataFree: 600, reserve: 512)) != nil)
        #expect(dedupe.refusal(info(metadataFree: 768, reserve: 512)) == nil)
    }

    @Test func onlyWhatIsWrittenAnewNeedsRoomForData() {
        let full = info(metadataFree: 1024, dataFree: 511)
        #expect(dedupe.refusal(full) == nil)
        #expect(compress.refusal(full) != nil)
        #expect(compress.refusal(info(metadataFree: 1024, dataFree: 512)) == nil)
        #expect(compress.refusal(info(unallocated: 1024)) == nil)
    }

    @Test func aSmallDeviceNeedsA64thOfItself() {
        #expect(dedupe.refusal(info(metadataFree: 8, deviceMebibytes: 512)) == nil)
        #expect(dedupe.refusal(info(metadataFree: 7, deviceMebibytes: 512)) != nil)
    }

    @Test func aJobThatRunsHoldsBelowThreeQuartersAndGoesOnAtTheWhole() {
        #expect(dedupe.advice(info(metadataFree: 192), isHeld: false) == nil)
        #expect(dedupe.advice(info(metadataFree: 191), isHeld: false) != nil)
        #expect(dedupe.advice(info(metadataFree: 255), isHeld: true) != nil)
        #expect(dedupe.advice(info(metadataFree: 256), isHeld: true) == nil)
    }

    @Test func aHeldJobGoesOnWhenItsBatchesHaveRoom() {
        func small(_ free: UInt64) -> SpaceInfo { info(metadataFree: free, deviceMebibytes: 512) }
        #expect(dedupe.advice(small(8), isHeld: false) == nil)
        #expect(dedupe.advice(small(16), isHeld: true) != nil)
        #expect(dedupe.advice(small(17), isHeld: true) == nil)
        #expect(SpaceGuard.hasRoom(small(17), for: ExecutionLimits.metadataOfBatch, lanes: 5))
    }

    @Test func unallocatedSpaceThatNoChunkCanTakeIsNoRoom() {
        var unequal = info(unallocated: 4096)
        unequal.metadataAllocatableBytes = .mebibytes(4)
        #expect(dedupe.refusal(unequal)?.contains("room for 4.0 MiB of metadata") == true)
    }

    @Test func treesMayGrowOnAllLanesAtOnceDownToHalfOfTheFloor() {
        let fit = info(metadataFree: 178)
        #expect(SpaceGuard.hasRoom(fit, for: .mebibytes(10), lanes: 5))
        #expect(!SpaceGuard.hasRoom(fit, for: .mebibytes(11), lanes: 5))
        #expect(!SpaceGuard.hasRoom(info(metadataFree: 100), for: .zero, lanes: 5))
        #expect(!SpaceGuard.hasRoom(fit, for: ByteCount(UInt64.max), lanes: 5))
    }

    @Test func chunksOfBothKindsCountAsData() {
        var mixed = info(dataFree: 300)
        mixed.metadata = SpaceInfo.Kind()
        mixed.isMixed = true
        #expect(dedupe.refusal(mixed) == nil)
        mixed.data.totalBytes = mixed.data.usedBytes
        #expect(dedupe.refusal(mixed) != nil)
    }

    @Test func aRefusalSaysWhatIsMissingAndWhatToDo() {
        let text = dedupe.refusal(info(metadataFree: 100)) ?? ""
        #expect(text.contains("100.0 MiB") && text.contains("256.0 MiB"))
        #expect(text.contains("Delete") && text.contains("btrfs balance"))
        #expect(compress.refusal(info(metadataFree: 1024))?.contains("Delete") == true)
    }
}
