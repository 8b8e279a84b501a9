// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// What a set of files takes.
public struct SpaceFigures: Equatable, Sendable {
    /// Apparent size.
    public var size = ByteCount.zero
    /// Mapped, not holes, counted per file.
    public var data = ByteCount.zero
    /// On the device, each extent once.
    public var disk = ByteCount.zero
    /// Of disk, what comes back if the set goes.
    public var exclusive = ByteCount.zero
    /// What comes back if the set's revisions go.
    public var revisions = ByteCount.zero
    /// Of disk, what is compressed.
    public var compressedDisk = ByteCount.zero
    /// What that unpacks to.
    public var compressedContent = ByteCount.zero
    /// Extents, each once, inline ones among them.
    public var extents = 0

    /// All zero.
    public init() {}
}

/// Computes figures from a survey. Pure.
public struct Accountant: Sendable {
    private let survey: Survey
    /// By extent: somebody outside of the surveyed files refers to it.
    private let hasOutsideUse: [Bool]
    /// By file: it has names that the survey does not know, so that no set of volumes can free it.
    private let hasOutsideName: [Bool]

    /// - Parameters:
    ///   - hasOutsideUse: one for each extent of the survey.
    ///   - knownNames: for each file of the survey, how many of its names are known.
    public init(survey: Survey, hasOutsideUse: [Bool], knownNames: [Int]) {
        self.survey = survey
        self.hasOutsideUse = hasOutsideUse
        hasOutsideName = zip(survey.files, knownNames).map { file, known in
            Int(file.inode.links) > known
        }
    }

    /// The figures of the files that belong to any of these volumes, as one set: what two of them
    /// share counts once. A file is in the set for `exclusive` when all of its owners are.
    public func figures(ofVolumes volumes: Set<Int>) -> SpaceFigures {
        let isMember = survey.files.map { file in
            file.image.owners.contains(where: volumes.contains)
        }
        let goes = zip(survey.files, hasOutsideName).map { file, outside in
            !outside && file.image.owners.allSatisfy(volumes.contains)
        }
        let revisionGoes = zip(survey.files, goes).map { $0.image.isRevision && $1 }
        var figures = SpaceFigures()
        for (index, file) in survey.files.enumerated() where isMember[index] {
            figures.size += file.inode.sizeBytes
            figures.data += file.inlineContentBytes
            figures.disk += file.inlineStoredBytes
            figures.extents += file.inlineExtents
            if goes[index] { figures.exclusive += file.inlineStoredBytes }
            if revisionGoes[index] { figures.revisions += file.inlineStoredBytes }
        }
        for (index, extent) in survey.extents.enumerated() {
            add(extent, outside: hasOutsideUse[index], isMember, goes, revisionGoes, to: &figures)
        }
        return figures
    }

    private func add(
        _ extent: Survey.Extent, outside: Bool, _ isMember: [Bool], _ goes: [Bool],
        _ revisionGoes: [Bool], to figures: inout SpaceFigures
    ) {
        var isUsed = false
        var allGo = !outside
        var allRevisionsGo = !outside
        for reference in survey.references(to: extent) {
            if isMember[reference.file] {
                isUsed = true
                figures.data += reference.lengthBytes
            }
            allGo = allGo && goes[reference.file]
            allRevisionsGo = allRevisionsGo && revisionGoes[reference.file]
        }
        guard isUsed else { return }
        figures.extents += 1
        figures.disk += extent.diskBytes
        if allGo { figures.exclusive += extent.diskBytes }
        if allRevisionsGo { figures.revisions += extent.diskBytes }
        if extent.compression != .none {
            figures.compressedDisk += extent.diskBytes
            figures.compressedContent += extent.contentBytes
        }
    }
}

/// Finds out which extents are used from outside of the survey.
public enum OutsideUses {
    /// One answer for each extent: an item refers to it that is not among the survey's references.
    /// An extent with too many references to list counts as used from outside.
    public static func find(
        _ survey: Survey, in catalog: some ExtentCatalog
    ) throws(BtrfsError) -> [Bool] {
        var result: [Bool] = []
        result.reserveCapacity(survey.extents.count)
        for extent in survey.extents {
            switch try catalog.uses(ofExtentAt: extent.address) {
            case .tooMany:
                result.append(true)
            case .all(let uses):
                result.append(!knows(survey, extent, all: uses))
            }
        }
        return result
    }

    private static func knows(
        _ survey: Survey, _ extent: Survey.Extent, all uses: [ExtentUse]
    ) -> Bool {
        let references = survey.references(to: extent)
        // Distinct on both sides, so that more uses than references decides it without a look.
        if uses.count > references.count { return false }
        let known = Set(
            references.map {
                ExtentUse(inode: survey.files[$0.file].image.inode, fileOffset: $0.fileOffset)
            })
        return uses.allSatisfy(known.contains)
    }
}
