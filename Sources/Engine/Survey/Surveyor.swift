// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Makes a survey.
public enum Surveyor {
    /// Reads every file's extents by tree search. A file that is gone is left out; one that cannot
    /// be read is named in `unreadable`.
    /// - Parameters:
    ///   - spills: for what has no room in memory; without them all of it stays there.
    ///   - memory: what the survey before has read, and what is left for the next one.
    ///   - progress: called before each file with the sizes of those read and of all.
    /// - Throws: what was read could not be kept.
    public static func survey(
        _ images: [ImageFile], in catalog: some ExtentCatalog, spills: (any SpillSource)? = nil,
        memory: SurveyMemory? = nil,
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
                try read(image.inode, inode, catalog, memory) { (extent) throws(BtrfsError) in
                    try collector.add(extent)
                }
            } catch {
                memory?.drop(image.inode)
                if collector.failure != nil { break }
                collector.fail(image.inode, error)
            }
        }
        var survey = try collector.finish()
        if let generation = try? catalog.generation() { survey.generation = generation }
        return survey
    }

    /// Hands out a file's extents: as they were kept, where the file has not changed since.
    private static func read(
        _ file: InodeIdentifier, _ item: InodeItem, _ catalog: some ExtentCatalog,
        _ memory: SurveyMemory?, _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        var start = FileOffset.start
        if let kept = memory?.kept, let entry = memory?.entry(of: file, item),
            try !catalog.hasChanged(file, since: entry.since)
        {
            guard let damage = try kept.forEachExtent(of: entry, body) else {
                memory?.keep(entry)
                return
            }
            // It is kept when it is read from its start.
            start = damage
        } else {
            memory?.begin(file, item)
        }
        try catalog.forEachFileExtent(of: file, from: start, through: FileOffset(.max)) {
            (extent) throws(BtrfsError) in
            try body(extent)
            memory?.add(extent)
        }
        memory?.endFile()
    }
}
