// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol

extension ReportWork {
    /// Says what subvolumes that are being deleted still hold: what the file system counts as used,
    /// and no file has. No tree of theirs is read.
    func addDeleted(to report: inout Report, _ books: [AccountBook]) throws(BtrfsError) {
        var count = 0
        var bytes = ByteCount.zero
        for (site, book) in zip(sites.sites, books) where book.isWhole {
            let deleted = try site.fileSystem.deletedSubvolumes()
            let info = try site.fileSystem.spaceInfo()
            // Where data and metadata are in the same chunks, nothing says what is whose.
            guard deleted > 0, !info.isMixed else { continue }
            let inTrees = book.account.everything.storage.inline.disk
            let seen = book.account.everything.disk.rawValue - inTrees.rawValue
            let used = info.data.usedBytes.rawValue
            count += deleted
            bytes += ByteCount(used - min(seen, used))
        }
        guard count > 0 else { return }
        report.machine?.deletedSubvolumes = UInt64(count)
        report.machine?.deletedSubvolumesBytes = bytes.rawValue
    }
}
