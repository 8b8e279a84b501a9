// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

extension Survey {
    /// How files lie on the device.
    public struct Pieces: Equatable, Sendable {
        /// What they map, each file counted for itself.
        public var dataBytes = ByteCount.zero
        /// In how many pieces: what follows in the file and on the device is one.
        public var count = 0

        /// None yet.
        public init() {}
    }

    /// The pieces of the files of the volumes that a request is about.
    public func pieces(in scope: Scope) -> Pieces {
        var sum = Pieces()
        for file in files
        where file.image.owners.contains(where: { scope.volumes[$0].isSelected }) {
            sum.dataBytes += file.pieces.dataBytes
            sum.count += file.pieces.count
        }
        return sum
    }
}

/// Counts the pieces of one file, from its items in order.
struct PieceCounter {
    /// Where what was seen last ends, in the file and on the device.
    private var last: (file: FileOffset, device: UInt64)?

    mutating func count(
        _ extent: FileExtent, _ reference: FileExtent.Reference, in pieces: inout Survey.Pieces
    ) {
        pieces.dataBytes += extent.lengthBytes
        // Of a compressed extent the whole is read, whichever part of it is shown.
        let isPlain = extent.compression == .none
        let skipped = isPlain ? reference.offsetInExtent : .zero
        // Wrapping: nobody has checked that an address and a position in it make one.
        let start = reference.address.rawValue &+ skipped.rawValue
        if last?.file != extent.fileOffset || last?.device != start { pieces.count += 1 }
        let length = isPlain ? extent.lengthBytes : reference.diskBytes
        last = (extent.fileOffset + extent.lengthBytes, start &+ length.rawValue)
    }
}
