// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine

/// Whether a file system has room enough to be worked on. Pure.
///
/// Moving references writes to trees. A Btrfs whose metadata can grow no more goes read-only in the
/// worst case, under all qubes at once; so there must be room for metadata, within its chunks or in
/// new ones that the devices have room for (`SpaceInfo.metadataRoomBytes`). Room for data is needed
/// by what is written anew.
struct SpaceGuard: Equatable, Sendable {
    /// What must be left for metadata before a job starts; on a small device a 64th of it.
    static let metadataFloor = ByteCount.mebibytes(256)
    /// What must be left for data before a job starts that writes all it touches anew; on a small
    /// device a 64th of it.
    static let dataFloor = ByteCount.mebibytes(512)
    /// See the floors.
    static let deviceDivisor: UInt64 = 64

    /// The job writes anew whatever it touches; one that does so only now and then leaves what has
    /// no room.
    let needsDataRoom: Bool

    /// Why a job may not start; nil when it may.
    func refusal(_ info: SpaceInfo) -> String? {
        if let advice = metadataAdvice(info, floor: Self.floor(Self.metadataFloor, info)) {
            return advice
        }
        let least = Self.floor(Self.dataFloor, info)
        let room = info.dataRoomBytes
        guard needsDataRoom, room < least else { return nil }
        return "it has room for \(Self.text(room)) of data and must have"
            + " \(Self.text(least)). Delete revisions, files or qubes that are not needed"
    }

    /// By how much data may grow, so that another job could still start.
    func roomToGrow(_ info: SpaceInfo) -> ByteCount {
        let least = Self.floor(Self.dataFloor, info)
        let room = info.dataRoomBytes
        return room < least ? .zero : room - least
    }

    /// Why a job must hold; nil when it may go on. Three quarters of what is needed to start are
    /// enough, or a job that starts at the floor would hold at once; what it has stopped for must
    /// come back with a margin, and be enough for the batches that go on then: with less they would
    /// find no room, and leave what they could have waited for.
    func advice(_ info: SpaceInfo, isHeld: Bool) -> String? {
        let least = Self.floor(Self.metadataFloor, info)
        if !isHeld { return metadataAdvice(info, floor: ByteCount(least.rawValue / 4 * 3)) }
        let batches = ByteCount(
            ExecutionLimits.metadataOfBatch.rawValue * UInt64(JobWork.lanes) / 4 * 5)
        return metadataAdvice(info, floor: max(least, Self.metadataInReserve(info) + batches))
    }

    private func metadataAdvice(_ info: SpaceInfo, floor: ByteCount) -> String? {
        let room = info.metadataRoomBytes
        guard room < floor else { return nil }
        return "it has room for \(Self.text(room)) of metadata and must have \(Self.text(floor))."
            + " Delete files, revisions or qubes that are not needed, or let Btrfs gather"
            + " half-empty chunks with 'btrfs balance start -dusage=20'"
    }

    private static func floor(_ floor: ByteCount, _ info: SpaceInfo) -> ByteCount {
        min(floor, ByteCount(info.deviceBytes.rawValue / deviceDivisor))
    }

    /// What must be left of metadata's room while a job moves references: half of the floor. The
    /// kernel sets aside far more than a change needs until it is made, and it must never find
    /// nothing.
    static func metadataInReserve(_ info: SpaceInfo) -> ByteCount {
        ByteCount(floor(metadataFloor, info).rawValue / 2)
    }

    /// Whether trees may grow by so much on each of several lanes at a time.
    static func hasRoom(_ info: SpaceInfo, for bytes: ByteCount, lanes: Int) -> Bool {
        let (need, overflow) = bytes.rawValue.multipliedReportingOverflow(by: UInt64(lanes))
        let reserve = metadataInReserve(info)
        guard !overflow, info.metadataRoomBytes > reserve else { return false }
        return ByteCount(need) <= info.metadataRoomBytes - reserve
    }

    static func text(_ bytes: ByteCount) -> String {
        let mebibytes = Double(bytes.rawValue) / Double(1 << 20)
        let tenths = (mebibytes * 10).rounded(.down) / 10
        return "\(tenths) MiB"
    }
}
