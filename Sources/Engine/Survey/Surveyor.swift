// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Makes a survey.
public enum Surveyor {
    /// Reads every file's extents by tree search. A file that is gone is left out; one that cannot
    /// be read is named in `unreadable`.
    /// - Parameter progress: called before each file with the sizes of those read and of all.
    public static func survey(
        _ images: [ImageFile], in catalog: some ExtentCatalog,
        progress: (_ done: ByteCount, _ total: ByteCount) -> Void = { _, _ in }
    ) -> Survey {
        var collector = Collector()
        var survey = Survey()
        let total = images.reduce(ByteCount.zero) { $0 + $1.sizeBytes }
        var done = ByteCount.zero
        for image in images {
            progress(done, total)
            done += image.sizeBytes
            do throws(BtrfsError) {
                guard let inode = try catalog.inode(image.inode) else { continue }
                let index = survey.files.count
                survey.files.append(Survey.File(image: image, inode: inode))
                try catalog.forEachFileExtent(
                    of: image.inode, from: .start, through: FileOffset(.max)
                ) { extent throws(BtrfsError) in
                    collector.add(extent, of: index, to: &survey)
                }
            } catch {
                survey.unreadable.append((image.inode, error))
            }
        }
        collector.finish(&survey)
        return survey
    }

    /// References as they come, file by file; sorted by extent at the end.
    private struct Collector {
        struct Entry {
            let extent: Survey.Extent
            let reference: Survey.Reference
        }
        var entries: [Entry] = []

        mutating func add(_ extent: FileExtent, of file: Int, to survey: inout Survey) {
            switch extent.storage {
            case .hole:
                break
            case .inline(let stored):
                survey.files[file].inlineContentBytes += extent.lengthBytes
                survey.files[file].inlineStoredBytes += stored
                survey.files[file].inlineExtents += 1
            case .regular(let reference):
                append(extent, reference, file, isPreallocated: false)
            case .preallocated(let reference):
                append(extent, reference, file, isPreallocated: true)
            }
        }

        private mutating func append(
            _ extent: FileExtent, _ reference: FileExtent.Reference, _ file: Int,
            isPreallocated: Bool
        ) {
            entries.append(
                Entry(
                    extent: Survey.Extent(
                        address: reference.address, diskBytes: reference.diskBytes,
                        contentBytes: extent.contentBytes, compression: extent.compression,
                        generation: extent.generation, references: 0..<0),
                    reference: Survey.Reference(
                        file: file, fileOffset: extent.fileOffset, lengthBytes: extent.lengthBytes,
                        offsetInExtent: reference.offsetInExtent, isPreallocated: isPreallocated)))
        }

        mutating func finish(_ survey: inout Survey) {
            entries.sort {
                ($0.extent.address, $0.reference.file, $0.reference.fileOffset)
                    < ($1.extent.address, $1.reference.file, $1.reference.fileOffset)
            }
            survey.references.reserveCapacity(entries.count)
            for entry in entries {
                if survey.extents.last?.address != entry.extent.address {
                    survey.extents.append(entry.extent)
                    let start = survey.references.count
                    survey.extents[survey.extents.count - 1].references = start..<start
                }
                survey.references.append(entry.reference)
                let last = survey.extents.count - 1
                let start = survey.extents[last].references.lowerBound
                survey.extents[last].references = start..<survey.references.count
            }
            entries = []
        }
    }
}
