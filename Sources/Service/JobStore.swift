// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// The history on disk: one small JSON file a job, each replaced as a whole, so that a power cut
/// leaves either the old or the new one.
struct JobStore: Sendable {
    /// Why the history could not be read or written.
    struct Failure: Error, CustomStringConvertible {
        let subject: String
        let reason: String
        var description: String { "\(subject): \(reason)" }
    }

    private static let ending = ".json"
    private static let unfinishedEnding = ".new"

    private let directory: SharedDescriptor

    /// Opens the directory of the history, which is made when it is not there yet. What a death has
    /// left half written is removed.
    init(stateDirectory: FilePath) throws(Failure) {
        do throws(Errno) {
            let state = try Descriptor.open(stateDirectory, [.readOnly, .directory])
            do throws(Errno) {
                try state.makeDirectory("jobs", mode: 0o700)
            } catch .fileExists {
            }
            directory = SharedDescriptor(
                try state.open(beneath: "jobs", [.readOnly, .directory]))
            for name in try directory.descriptor.entries()
            where name.hasSuffix(Self.unfinishedEnding) {
                try directory.descriptor.remove(entry: name)
            }
        } catch {
            throw Failure(subject: stateDirectory.string, reason: "\(error)")
        }
    }

    /// Every job of the history, oldest first, and the names of files that are none.
    func load() throws(Failure) -> (jobs: [JobRecord], strays: [String]) {
        var jobs: [JobRecord] = []
        var strays: [String] = []
        let names: [String]
        do throws(Errno) {
            names = try directory.descriptor.entries()
        } catch {
            throw Failure(subject: "jobs", reason: "\(error)")
        }
        for name in names {
            if let record = read(name) { jobs.append(record) } else { strays.append(name) }
        }
        jobs.sort { ($0.submittedAt, $0.job) < ($1.submittedAt, $1.job) }
        return (jobs, strays)
    }

    private func read(_ name: String) -> JobRecord? {
        guard name.hasSuffix(Self.ending),
            let file = try? directory.descriptor.open(
                beneath: FilePath(name), [.readOnly, .nonBlocking]),
            let bytes = try? file.readToEnd(limitBytes: Limits.eventBytes),
            let record = try? JSONDecoder().decode(JobRecord.self, from: Data(bytes)),
            Names.isJob(record.job), name == record.job + Self.ending
        else { return nil }
        return record
    }

    /// Writes a job's record; once this returns, a power cut does not lose it.
    func write(_ record: JobRecord) throws(Failure) {
        let name = record.job + Self.ending
        let unfinished = record.job + Self.unfinishedEnding
        do {
            let bytes = try [UInt8](JSONEncoder().encode(record))
            let file = try directory.descriptor.open(
                beneath: FilePath(unfinished), [.writeOnly, .create, .truncate], mode: 0o600)
            try file.write(bytes)
            try file.synchronize()
            try directory.descriptor.rename(entry: unfinished, to: name)
            try directory.descriptor.synchronize()
        } catch {
            throw Failure(subject: name, reason: "\(error)")
        }
    }

    /// Removes a job from the history.
    func remove(_ job: String) throws(Failure) {
        do throws(Errno) {
            try directory.descriptor.remove(entry: job + Self.ending)
        } catch .noSuchFileOrDirectory {
        } catch {
            throw Failure(subject: job + Self.ending, reason: "\(error)")
        }
    }
}
