// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// Makes a survey of file extent items as they come: file by file, and in each file in order.
///
/// An extent is kept once from the start, and the references are put in order where they are, so
/// that making a survey takes little more than having it.
struct SurveyCollector {
    private var survey = Survey()
    /// The extents by their address, in the order they came.
    private var numbers: [LogicalAddress: UInt32] = [:]
    private var counter = PieceCounter()

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
        guard
            let extentEntry = Survey.Extent(
                extent, reference, number: UInt32(survey.extents.count)),
            var entry = Survey.Reference(
                file: file, extent, reference, isPreallocated: isPreallocated)
        else {
            throw BtrfsError(
                "TREE_SEARCH_V2", "an extent of \(reference.diskBytes.rawValue) bytes",
                .notSupported)
        }
        entry.mark = number(of: extentEntry)
        survey.references.append(entry)
        survey.extents[Int(entry.mark)].add(extentEntry)
        counter.count(extent, reference, in: &survey.files[file].pieces)
    }

    private mutating func number(of extent: Survey.Extent) -> UInt32 {
        // Neighbours in a file are often parts of one extent.
        if let last = survey.references.last?.mark,
            survey.extents[Int(last)].address == extent.address
        {
            return last
        }
        if let known = numbers[extent.address] { return known }
        numbers[extent.address] = extent.firstReference
        survey.extents.append(extent)
        return extent.firstReference
    }

    /// The survey. The collector is empty afterwards.
    mutating func finish() -> Survey {
        numbers = [:]
        survey.extents.sort { $0.address < $1.address }
        // For each extent, by its number, where its next reference goes.
        var places = [UInt32](repeating: 0, count: survey.extents.count)
        var start: UInt32 = 0
        for index in survey.extents.indices {
            places[Int(survey.extents[index].firstReference)] = start
            survey.extents[index].firstReference = start
            start += survey.extents[index].referenceCount
        }
        for index in survey.references.indices {
            let number = Int(survey.references[index].mark)
            survey.references[index].mark = places[number]
            places[number] += 1
        }
        // Each is swapped to its place, once: they came by file and offset, and stay so.
        for index in survey.references.indices {
            while survey.references[index].mark != UInt32(index) {
                survey.references.swapAt(index, Int(survey.references[index].mark))
            }
            survey.references[index].mark = 0
        }
        defer { survey = Survey() }
        return survey
    }
}
