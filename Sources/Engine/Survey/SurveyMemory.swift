// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// What a survey goes by, and what it leaves for the next one. For one thread.
///
/// Whatever of it fails costs the next survey time, and this one nothing.
public final class SurveyMemory {
    /// What the survey before has left.
    let kept: KeptSurvey?
    private var writer: KeptSurveyWriter?
    /// Why no more is kept; nil as long as all is.
    public private(set) var failure: BtrfsError?

    /// With what was kept, and who keeps what comes; nil where nothing is to be kept.
    public init(_ kept: KeptSurvey?, writer: KeptSurveyWriter?) {
        self.kept = kept
        self.writer = writer
    }

    /// The survey has come to its end.
    /// - Returns: whether something was written.
    public func finish() throws(BtrfsError) -> Bool {
        if let failure { throw failure }
        return try writer?.finish() ?? false
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

    func drop() { attempt { (writer) throws(BtrfsError) in writer.drop() } }

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
