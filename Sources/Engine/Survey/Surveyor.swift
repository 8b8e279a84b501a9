// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Makes a survey.
public enum Surveyor {
    /// Reads every file's extents by tree search. A file that is gone is left out; one that cannot
    /// be read is named in `unreadable`.
    /// - Parameters:
    ///   - spills: for what has no room in memory; without them all of it stays there.
    ///   - progress: called before each file with the sizes of those read and of all.
    /// - Throws: what was read could not be kept.
    public static func survey(
        _ images: [ImageFile], in catalog: some ExtentCatalog, spills: (any SpillSource)? = nil,
        progress: (_ done: ByteCount, _ total: ByteCount) -> Void = { _, _ in }
    ) throws(BtrfsError) -> Survey {
        var collector = SurveyCollector(spills: spills)
        let total = images.reduce(ByteCount.zero) { $0.saturatingSum($1.sizeBytes) }
        var done = ByteCount.zero
        for image in images {
            progress(done, total)
            done = done.saturatingSum(image.sizeBytes)
            do throws(BtrfsError) {
                guard let inode = try catalog.inode(image.inode) else { continue }
                collector.begin(Survey.File(image: image, inode: inode))
                try catalog.forEachFileExtent(
                    of: image.inode, from: .start, through: FileOffset(.max)
                ) { extent throws(BtrfsError) in
                    try collector.add(extent)
                }
            } catch {
                if collector.failure != nil { break }
                collector.fail(image.inode, error)
            }
        }
        var survey = try collector.finish()
        if let generation = try? catalog.generation() { survey.generation = generation }
        return survey
    }
}
