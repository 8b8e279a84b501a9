// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// One file extent item, on its way to its extent's others.
struct SurveyItem: SpillRecord {
    /// Without its references.
    let extent: Survey.Extent
    let reference: Survey.Reference

    /// Those of one extent stand together, as they came: by file and offset.
    static func < (left: SurveyItem, right: SurveyItem) -> Bool {
        if left.extent.address != right.extent.address {
            return left.extent.address < right.extent.address
        }
        if left.reference.file != right.reference.file {
            return left.reference.file < right.reference.file
        }
        return left.reference.fileOffset < right.reference.fileOffset
    }
}

/// Makes a survey of file extent items as they come: file by file, and in each file in order.
///
/// They are sorted by the addresses of their extents, in bounded memory where there is something to
/// spill to, and then written one behind the other.
struct SurveyCollector {
    private var survey = Survey()
    private var items: ExternalSorter<SurveyItem>
    private var counter = PieceCounter()
    private let spills: (any SpillSource)?
    /// Why what was added could not be kept: no fault of the file that was being read.
    private(set) var failure: BtrfsError?

    /// - Parameter spills: for what has no room in memory; without them all of it stays there.
    init(spills: (any SpillSource)? = nil) {
        self.spills = spills
        let heldBytes = spills?.surveySortBytes ?? 0
        items = ExternalSorter(
            capacity: heldBytes / MemoryLayout<SurveyItem>.stride, spills: spills)
    }

    /// What follows is of this file.
    mutating func begin(_ file: Survey.File) {
        survey.files.append(file)
        counter = PieceCounter()
    }

    /// A file could not be read to its end.
    mutating func fail(_ inode: InodeIdentifier, _ error: BtrfsError) {
        survey.unreadable.append((inode, error))
    }

    /// Takes an item of the file that was begun last.
    mutating func add(_ extent: FileExtent) throws(BtrfsError) {
        let file = survey.files.count - 1
        switch extent.storage {
        case .hole:
            break
        case .inline(let stored):
            survey.files[file].inlineContentBytes += extent.lengthBytes
            survey.files[file].inlineStoredBytes += stored
            survey.files[file].inlineExtents += 1
        case .regular(let reference):
            try add(extent, reference, file, isPreallocated: false)
        case .preallocated(let reference):
            try add(extent, reference, file, isPreallocated: true)
        }
    }

    private mutating func add(
        _ extent: FileExtent, _ reference: FileExtent.Reference, _ file: Int, isPreallocated: Bool
    ) throws(BtrfsError) {
        guard let extentEntry = Survey.Extent(extent, reference),
            let entry = Survey.Reference(
                file: file, extent, reference, isPreallocated: isPreallocated)
        else {
            throw BtrfsError(
                "TREE_SEARCH_V2", "an extent of \(reference.diskBytes.rawValue) bytes",
                .notSupported)
        }
        do throws(BtrfsError) {
            try items.append(SurveyItem(extent: extentEntry, reference: entry))
        } catch {
            failure = error
            throw error
        }
        counter.count(extent, reference, in: &survey.files[file].pieces)
    }

    /// The survey. The collector is empty afterwards.
    mutating func finish() throws(BtrfsError) -> Survey {
        if let failure { throw failure }
        var extents = ColumnWriter<Survey.Extent>(spills: spills)
        var references = ColumnWriter<Survey.Reference>(spills: spills)
        var sorted = try items.finish()
        var last: Survey.Extent?
        while let item = try sorted.next() {
            if last?.address != item.extent.address {
                if let last { try extents.append(last) }
                guard let number = UInt32(exactly: references.count) else {
                    throw BtrfsError("TREE_SEARCH_V2", "more than 4 billion items", .notSupported)
                }
                last = item.extent
                survey.addresses.append(item.extent.address.rawValue)
                last?.firstReference = number
            }
            last?.add(item.extent)
            try references.append(item.reference)
        }
        if let last { try extents.append(last) }
        survey.extents = try extents.finish()
        survey.references = try references.finish()
        defer { survey = Survey() }
        return survey
    }
}
