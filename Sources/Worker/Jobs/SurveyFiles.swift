// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls

/// File extents that are kept from survey to survey.
struct SurveyFiles: Sendable {
    /// The files may take one of so many parts of the room.
    private static let part: UInt64 = 16

    private let files: TurnedFiles
    private let fileSystem: FileSystem.Identity

    init(in directory: SharedDescriptor, for fileSystem: FileSystem) {
        self.fileSystem = fileSystem.identity
        files = TurnedFiles("survey", in: directory, for: fileSystem)
    }

    /// What the last survey has left, and which file that is; nil when nothing is whole.
    func newest() -> (index: Int, kept: KeptSurvey)? {
        files.newest(
            { (file) -> KeptSurvey? in
                KeptSurvey(file, fileSystem: fileSystem)
            }, by: \.sequence)
    }

    /// Makes a survey by what was kept, and keeps it for the next one. One that does not come to
    /// its end leaves what there was.
    /// - Parameters:
    ///   - generation: the newest transaction; where it is not known nothing is kept.
    ///   - subvolumes: those whose trees were looked at: what was kept of others does not serve.
    func keep(
        at generation: Generation?, in subvolumes: Set<TreeIdentifier>,
        _ body: (SurveyMemory?) throws(BtrfsError) -> Survey
    ) throws(BtrfsError) -> Survey {
        guard let generation else { return try body(nil) }
        let newest = newest()
        let writer = files.target(besides: newest?.index).map { target in
            KeptSurveyWriter(
                to: target, fileSystem: fileSystem, joining: newest?.kept, since: generation,
                limitBytes: files.limitBytes(part: Self.part))
        }
        let memory = SurveyMemory(newest?.kept, writer: writer, in: subvolumes)
        let survey: Survey
        do throws(BtrfsError) {
            survey = try body(memory)
        } catch {
            // What was written of it is of no use to anybody.
            files.replace(newest?.index) { () throws(BtrfsError) in throw error }
            throw error
        }
        files.replace(newest?.index) { () throws(BtrfsError) in try memory.finish() }
        return survey
    }
}
