// SPDX-License-Identifier: GPL-2.0-or-later
import CChecksum

@testable import Btrfs
@testable import Engine

/// Buffers that the kernel has filled: tree search items and what is in them, references, space.
/// The first byte is the count that the kernel gives beside them.
@Sendable func fuzzSearch(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let buffer = Array(input.dropFirst())
    let count = Int(first) - 1
    let span = unsafe buffer.span.bytes
    _ = SearchItems.forEach(in: span, count: count) { (key, _, item) throws(Never) in
        demand(item.byteCount <= buffer.count, "an item lies within its buffer")
        readItem(key, item)
    }
    let key = ItemKey(objectIdentifier: 257, type: 108, offset: UInt64(first) << 56)
    readItem(key, span)
    if case .all(let uses) = DataContainer.uses(span) {
        demand(uses.count * 24 <= buffer.count, "no use was made up")
    }
    _ = SpaceInfo.parse(span, count: count)
}

private func readItem(_ key: ItemKey, _ item: RawSpan) {
    _ = InodeItem(item: item)
    if let next = key.next { demand(key < next, "the next key comes after") }
    let run = ChecksumItem(
        address: key.offset, itemBytes: item.byteCount, checksumBytes: 4, sectorBytes: 4096
    ).run(from: LogicalAddress(1 << 20), to: LogicalAddress(.max))
    if let run { demand(run.bytes.upperBound <= item.byteCount, "a run lies within its item") }
    guard let extent = FileExtent(key: key, item: item) else { return }
    guard case .regular(let reference) = extent.storage else { return }
    // Each traps when it wraps round.
    _ = extent.fileOffset + extent.lengthBytes
    _ = reference.offsetInExtent + extent.lengthBytes
    _ = reference.address + reference.diskBytes
}

/// The caches of fingerprints and of verdicts, and notes of moves: as they are, or between a right
/// header and a right checksum, which no mutation would find.
@Sendable func fuzzCache(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let identity = FileSystem.Identity(bytes: Array(0..<16))
    readVerdicts(Array(input.dropFirst()), isWhole: first % 4 == 0, identity)
    readItems(Array(input.dropFirst()))
    readMoves(Array(input.dropFirst()))
    let header = FingerprintSegment(fileSystem: identity, checksumKind: .crc32c).encoded().dropLast(
        4)
    let body = Array(input.dropFirst())
    let encoded = first % 4 == 0 ? body : sealed(header + body)
    guard
        let cache = FingerprintSegment(
            decoding: encoded, fileSystem: identity, checksumKind: .crc32c)
    else { return }
    demand(cache.encoded() == encoded, "a cache is kept as it was")
    for start in 0...max(0, body.count - 16) {
        let address = integer(body, at: start)
        let generation = Generation(integer(body, at: start + 8))
        let sums = cache.sums(ofExtentAt: LogicalAddress(address), generation: generation)
        guard let sums else { continue }
        demand(sums.count <= FingerprintSegment.sectorLimit, "no entry is longer than an extent")
    }
}

/// Items that were kept: a piece that is whole is what an encoder has made, or none.
private func readItems(_ body: [UInt8]) {
    var piece: [UInt8] = []
    for shift in stride(from: 0, to: 64, by: 8) {
        piece.append(UInt8(truncatingIfNeeded: UInt64(body.count) >> UInt64(shift)))
    }
    var decoder = FileExtentDecoder(piece: sealed((piece + body)[...]))
    guard let items = decoder?.items() else { return }
    var encoder = FileExtentEncoder()
    for item in items { encoder.append(item) }
    var again = FileExtentDecoder(piece: encoder.piece())
    demand(again?.items() == items, "items are kept as they were")
}

/// What a job has noted that was killed.
private func readMoves(_ body: [UInt8]) {
    var bytes = Array(MovePage().bytes.prefix(8))
    for shift in stride(from: 0, to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: UInt64(body.count) >> UInt64(shift)))
    }
    bytes += FingerprintSegment.checksum(body) + body
    guard let moves = MovePage.moves(bytes) else { return }
    var page = MovePage()
    page.add(moves)
    demand(MovePage.moves(page.bytes) == moves, "moves are noted as they were")
    for reference in moves.flatMap(\.references) {
        // Traps when it wraps round.
        _ = reference.fileOffset + reference.lengthBytes
    }
}

private func readVerdicts(_ body: [UInt8], isWhole: Bool, _ identity: FileSystem.Identity) {
    let header = Verdicts().encodedParts(for: identity)[0][...]
    let encoded = isWhole ? body : sealed(header + body)
    guard let verdicts = Verdicts(decoding: encoded, fileSystem: identity) else { return }
    demand(
        Array(verdicts.encodedParts(for: identity).joined()) == encoded,
        "verdicts are kept as they were")
}

private func integer(_ bytes: [UInt8], at start: Int) -> UInt64 {
    (0..<8).reduce(UInt64(0)) {
        let byte = start + $1 < bytes.count ? bytes[start + $1] : 0
        return $0 | UInt64(byte) << UInt64(8 * $1)
    }
}

private func sealed(_ content: ArraySlice<UInt8>) -> [UInt8] {
    let sum = unsafe content.withUnsafeBytes {
        unsafe cchecksum_crc32c($0.baseAddress, $0.count)
    }
    return content + (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(8 * $0)) }
}
