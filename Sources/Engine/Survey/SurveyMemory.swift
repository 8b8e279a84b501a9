// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// What a survey goes by, and what it leaves for the next one. For one thread.
///
/// Whatever of it fails costs the next survey time, and this one nothing.
public final class SurveyMemory {
    /// What the survey before has left.
    let kept: KeptSurvey?
    private let subvolumes: Set<TreeIdentifier>
    private var writer: KeptSurveyWriter?
    /// Why no more is kept; nil as long as all is.
    public private(set) var failure: BtrfsError?

    /// With what was kept, and who keeps what comes; nil where nothing is to be kept.
    /// - Parameter subvolumes: those whose trees were read from end to end before this survey. Of
    ///   files in others each item is read: a node that has gone bad since must show before
    ///   anything is written.
    public init(
        _ kept: KeptSurvey?, writer: KeptSurveyWriter?, in subvolumes: Set<TreeIdentifier>
    ) {
        self.kept = kept
        self.subvolumes = subvolumes
        self.writer = writer
    }

    /// The survey has come to its end.
    /// - Returns: whether something was written.
    public func finish() throws(BtrfsError) -> Bool {
        if let failure { throw failure }
        return try writer?.finish() ?? false
    }

    /// What was kept of a file, if it may go by that.
    func entry(of file: InodeIdentifier, _ item: InodeItem) -> KeptSurvey.Entry? {
        subvolumes.contains(file.subvolume) ? kept?.entry(of: file, item) : nil
    }

    func keep(_ entry: KeptSurvey.Entry) {
        attempt { (writer) throws(BtrfsError) in try writer.keep(entry) }
    }

    func begin(_ inode: InodeIdentifier, _ item: InodeItem) {
        attempt { (writer) throws(BtrfsError) in writer.begin(inode, item) }
    }

    func add(_ extent: FileExtent) {
        attempt { (writer) throws(BtrfsError) in try writer.add(extent) }
    }

    func endFile() { attempt { (writer) throws(BtrfsError) in try writer.endFile() } }

    /// A file could not be read: what was kept of it stays, to be asked about the next time.
    func drop(_ inode: InodeIdentifier) {
        attempt { (writer) throws(BtrfsError) in
            writer.drop()
            if let entry = kept?.entries[inode] { try writer.keep(entry) }
        }
    }

    private func attempt(_ body: (inout KeptSurveyWriter) throws(BtrfsError) -> Void) {
        guard var own = writer.take() else { return }
        do throws(BtrfsError) {
            try body(&own)
            writer = own
        } catch {
            failure = error
        }
    }
}
