// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

extension Survey {
    /// How files lie on the device.
    public struct Pieces: Equatable, Sendable {
        /// What they map, each file counted for itself.
        public var dataBytes = ByteCount.zero
        /// In how many pieces: what follows in the file and on the device is one.
        public var count = 0
    }

    /// The pieces of the files of the volumes that a request is about.
    public func pieces(in scope: Scope) -> Pieces {
        let selected = files.map { file in
            file.image.owners.contains { scope.volumes[$0].isSelected }
        }
        var byFile: [(file: Int, offset: FileOffset, end: FileOffset, device: Range<UInt64>)] = []
        for extent in extents {
            for reference in references(to: extent) where selected[reference.file] {
                // Of a compressed extent the whole is read, whichever part of it is shown.
                let start =
                    extent.compression == .none
                    ? extent.address + reference.offsetInExtent : extent.address
                let length =
                    extent.compression == .none ? reference.lengthBytes : extent.diskBytes
                byFile.append(
                    (
                        reference.file, reference.fileOffset,
                        reference.fileOffset + reference.lengthBytes,
                        start.rawValue..<(start + length).rawValue
                    ))
            }
        }
        byFile.sort { ($0.file, $0.offset) < ($1.file, $1.offset) }
        var pieces = Pieces()
        for (index, item) in byFile.enumerated() {
            pieces.dataBytes += item.end - item.offset
            let last = index > 0 ? byFile[index - 1] : nil
            let isContinued =
                last.map {
                    $0.file == item.file && $0.end == item.offset
                        && $0.device.upperBound == item.device.lowerBound
                } ?? false
            if !isContinued { pieces.count += 1 }
        }
        return pieces
    }
}
