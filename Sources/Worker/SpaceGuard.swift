// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Whether a file system has room enough to be worked on. Pure.
///
/// Moving references writes to trees. A Btrfs whose metadata can grow no more goes read-only in the
/// worst case, under all qubes at once; so there must be room for metadata, within its chunks or as
/// unallocated space of which it can get new ones. Room for data is needed by what is written anew.
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
        if let advice = metadataAdvice(info, floor: floor(Self.metadataFloor, info)) {
            return advice
        }
        let least = floor(Self.dataFloor, info)
        let room = Self.dataRoom(info)
        guard needsDataRoom, room < least else { return nil }
        return "it has room for \(Self.text(room)) of data and must have"
            + " \(Self.text(least)). Delete revisions, files or qubes that are not needed"
    }

    /// Why a job must hold; nil when it may go on. Three quarters of what is needed to start are
    /// enough, or a job that starts at the floor would hold at once; what it has stopped for must
    /// come back with a margin.
    func advice(_ info: SpaceInfo, isHeld: Bool) -> String? {
        let least = floor(Self.metadataFloor, info).rawValue
        return metadataAdvice(
            info, floor: ByteCount(isHeld ? least : least / 4 * 3))
    }

    private func metadataAdvice(_ info: SpaceInfo, floor: ByteCount) -> String? {
        let room = Self.metadataRoom(info)
        guard room < floor else { return nil }
        return "it has room for \(Self.text(room)) of metadata and must have \(Self.text(floor))."
            + " Delete files, revisions or qubes that are not needed, or let Btrfs gather"
            + " half-empty chunks with 'btrfs balance start -dusage=20'"
    }

    private func floor(_ floor: ByteCount, _ info: SpaceInfo) -> ByteCount {
        min(floor, ByteCount(info.deviceBytes.rawValue / Self.deviceDivisor))
    }

    /// What metadata can still take. Its chunks are mostly written twice, so that unallocated space
    /// counts half.
    static func metadataRoom(_ info: SpaceInfo) -> ByteCount {
        // Small file systems have chunks of both kinds of content, which count as data.
        if info.metadata.totalBytes == .zero { return dataRoom(info) }
        let used = info.metadata.usedBytes + info.reserveBytes
        return free(info.metadata.totalBytes, used)
            + ByteCount(info.unallocatedBytes.rawValue / 2)
    }

    /// What data can still take.
    static func dataRoom(_ info: SpaceInfo) -> ByteCount {
        free(info.data.totalBytes, info.data.usedBytes) + info.unallocatedBytes
    }

    private static func free(_ total: ByteCount, _ used: ByteCount) -> ByteCount {
        total - min(used, total)
    }

    private static func text(_ bytes: ByteCount) -> String {
        let mebibytes = Double(bytes.rawValue) / Double(1 << 20)
        let tenths = (mebibytes * 10).rounded(.down) / 10
        return "\(tenths) MiB"
    }
}
