// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import SystemPackage

/// What is kept of the images of one file system while they are looked at: the table with its file.
struct DigestBook {
    private let file: DigestFile?
    private var table: DigestTable
    /// The file was longer than any of ours, or could not be read.
    private let isIllegible: Bool
    private let damagedLines: Int
    /// Digests for which there was no room.
    private var unkept = 0
    private var failure: Errno?

    /// What is damaged goes at once: it is said once, and taken anew.
    init(_ site: Site) {
        file = site.digests
        let bytes = file?.read()
        isIllegible = file != nil && bytes == nil
        table = DigestTable(decoding: bytes ?? [], of: site.fileSystem.identity)
        damagedLines = table.damaged.count
        if isIllegible { attempt { (file) throws(Errno) in try file.empty() } }
        for change in table.damaged { write(change) }
    }

    /// Compares an image as it is now with what is kept of it, and keeps what is to be kept.
    /// - Parameter accepts: what is different is kept as it is now.
    /// - Returns: what has come of it, and when the digest was taken that it was compared with.
    mutating func compare(
        _ now: KeptDigest, accepts: Bool
    ) -> (Verification.Verdict, takenAt: Int64?) {
        let kept = table.kept(now.identity)
        let verdict = KeptDigest.verdict(
            kept, isNameKnown: table.knows(name: now.name), now: now.stamps, digest: now.digest)
        var next = now
        switch verdict {
        case .equal: next.takenAt = kept?.takenAt ?? now.takenAt
        case .different where !accepts: return (verdict, kept?.takenAt)
        case .different, .written, .new, .inUse, .unreadable: break
        }
        if next != kept {
            if let change = table.keep(next) { write(change) } else { unkept += 1 }
        }
        return (verdict, kept?.takenAt)
    }

    /// Forgets what there is no image of any more, and waits until all of it is on the disk.
    mutating func close(on site: Site) {
        for identity in table.identities where Self.isGone(identity, on: site.fileSystem) {
            if let change = table.forget(identity) { write(change) }
        }
        attempt { (file) throws(Errno) in try file.synchronize() }
    }

    /// What cannot be asked may be there.
    private static func isGone(_ identity: ImageIdentity, on fileSystem: FileSystem) -> Bool {
        do throws(BtrfsError) {
            return try fileSystem.inode(identity.inode)?.generation.rawValue
                != identity.generation
        } catch {
            return error.reason == .noSuchFileOrDirectory
        }
    }

    private mutating func write(_ change: DigestTable.Change) {
        attempt { (file) throws(Errno) in try file.write(change) }
    }

    private mutating func attempt(_ body: (DigestFile) throws(Errno) -> Void) {
        guard let file else { return }
        do throws(Errno) {
            try body(file)
        } catch {
            failure = failure ?? error
        }
    }

    /// What is to be said of it beside the images.
    func problems(_ site: Site) -> [Report.Problem] {
        let subject = Subject(site)
        var problems: [String] = []
        if file == nil {
            problems.append(
                "there is no file to keep digests in, so that nothing could be compared; dom0's"
                    + " journal says why")
        }
        if isIllegible {
            problems.append(
                "the file of digests could not be read, or is none of this service's: all of them"
                    + " were taken anew")
        }
        if damagedLines > 0 {
            problems.append(
                "\(damagedLines) of the digests that were kept are damaged, or of another file"
                    + " system: these were taken anew, so that of their images nothing is known"
                    + " before now")
        }
        if unkept > 0 {
            problems.append(
                "\(unkept) digests could not be kept: there are \(DigestTable.most) already")
        }
        if let failure {
            problems.append("digests could not be written down: \(failure)")
        }
        return problems.map { Report.Problem(subject, $0) }
    }
}
