// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine

/// What running qubes have written through loop devices that write past the page cache, since they
/// were started.
struct WrittenDirectly: Equatable {
    /// As it is: compressed, by the kernel or by a job.
    var packedBytes = ByteCount.zero
    var plainBytes = ByteCount.zero

    /// Enough for something in it to shrink.
    var isTelling: Bool { plainBytes >= .mebibytes(16) }

    /// `12 of 30 MiB`.
    var text: String {
        "\(packedBytes.rawValue >> 20) of \((packedBytes + plainBytes).rawValue >> 20) MiB"
    }

    static func + (left: Self, right: Self) -> Self {
        Self(
            packedBytes: left.packedBytes + right.packedBytes,
            plainBytes: left.plainBytes + right.plainBytes)
    }

    /// Adds what stands behind a range of such an image.
    /// - Parameter start: the transaction that made the image: what is older was there before.
    mutating func add(_ extent: FileExtent, since start: Generation) {
        guard case .regular = extent.storage, extent.generation > start else { return }
        if extent.compression == .none {
            plainBytes += extent.lengthBytes
        } else {
            packedBytes += extent.lengthBytes
        }
    }
}

extension Site {
    /// What stands in an image that was written since it was made.
    func writtenSinceMade(_ image: ListedImage) throws(BtrfsError) -> WrittenDirectly {
        var written = WrittenDirectly()
        guard let item = try fileSystem.inode(image.inode) else { return written }
        try fileSystem.forEachFileExtent(of: image.inode, from: .start, through: FileOffset(.max)) {
            (extent) throws(BtrfsError) in written.add(extent, since: item.generation)
        }
        return written
    }
}
