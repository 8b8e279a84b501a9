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

    /// Which job came before which: the seconds of `submittedAt` do not tell them all apart.
    private struct Order {
        var last: UInt64 = 0
        var numbers: [String: UInt64] = [:]

        /// The job's number, the next one for a new job.
        mutating func number(_ job: String) -> UInt64 {
            if let number = numbers[job] { return number }
            // One that was read from disk may be any number.
            last = last == .max ? last : last + 1
            numbers[job] = last
            return last
        }
    }

    /// A record with what only the store needs, as one object.
    private struct Stored: Codable {
        enum CodingKeys: String, CodingKey { case sequence }

        let record: JobRecord
        /// Nil in the files of a release that kept no order.
        let sequence: UInt64?

        init(_ record: JobRecord, sequence: UInt64) {
            self.record = record
            self.sequence = sequence
        }

        init(from decoder: any Decoder) throws {
            record = try JobRecord(from: decoder)
            sequence = try decoder.container(keyedBy: CodingKeys.self)
                .decodeIfPresent(UInt64.self, forKey: .sequence)
        }

        func encode(to encoder: any Encoder) throws {
            try record.encode(to: encoder)
            var own = encoder.container(keyedBy: CodingKeys.self)
            try own.encodeIfPresent(sequence, forKey: .sequence)
        }
    }

    private let directory: SharedDescriptor
    private let order = Monitor(Order())
    /// Records that could not be written, as of a full disk: they are tried again.
    private let unwritten = Monitor<[String: JobRecord]>([:])

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

    /// What was found.
    struct History {
        /// Every job that can be read, oldest first.
        var jobs: [JobRecord] = []
        /// How many jobs there are of a later release: they are kept for it, and shown by it alone.
        var newer = 0
        /// The names of files that are no jobs.
        var strays: [String] = []
    }

    private enum Found {
        case job(Stored)
        case newer
        case stray
    }

    /// Reads the whole history.
    func load() throws(Failure) -> History {
        var history = History()
        var jobs: [Stored] = []
        let names: [String]
        do throws(Errno) {
            names = try directory.descriptor.entries()
        } catch {
            throw Failure(subject: "jobs", reason: "\(error)")
        }
        for name in names {
            switch read(name) {
            case .job(let stored): jobs.append(stored)
            case .newer: history.newer += 1
            case .stray: history.strays.append(name)
            }
        }
        jobs.sort {
            ($0.sequence ?? 0, $0.record.submittedAt, $0.record.job)
                < ($1.sequence ?? 0, $1.record.submittedAt, $1.record.job)
        }
        order.withLock { order in
            for stored in jobs {
                guard let sequence = stored.sequence else { continue }
                order.numbers[stored.record.job] = sequence
                order.last = max(order.last, sequence)
            }
        }
        history.jobs = jobs.map(\.record)
        return history
    }

    private func read(_ name: String) -> Found {
        guard name.hasSuffix(Self.ending), JobID(String(name.dropLast(Self.ending.count))) != nil,
            let file = try? directory.descriptor.open(
                beneath: FilePath(name), [.readOnly, .nonBlocking]),
            let bytes = try? file.readToEnd(limitBytes: Limits.eventBytes)
        else { return .stray }
        if NewerFile.holds(bytes) { return .newer }
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(bytes)),
            name == stored.record.job + Self.ending
        else { return .stray }
        return .job(stored)
    }

    /// Writes a job's record; once this returns, a power cut does not lose it. One that cannot be
    /// written is written with the next that can.
    func write(_ record: JobRecord) throws(Failure) {
        do throws(Failure) {
            try put(record)
        } catch {
            unwritten.withLock { $0[record.job] = record }
            throw error
        }
        unwritten.withLock { $0[record.job] = nil }
        writeRest()
    }

    /// Tries once more to write what could not be written.
    func writeRest() {
        for (job, record) in unwritten.withLock({ $0 }) {
            guard (try? put(record)) != nil else { return }
            // Unless a later one has come meanwhile.
            unwritten.withLock { if $0[job] == record { $0[job] = nil } }
        }
    }

    private func put(_ record: JobRecord) throws(Failure) {
        let name = record.job + Self.ending
        let unfinished = record.job + Self.unfinishedEnding
        do {
            let sequence = order.withLock { $0.number(record.job) }
            let bytes = try [UInt8](JSONEncoder().encode(Stored(record, sequence: sequence)))
            let file = try directory.descriptor.open(
                beneath: FilePath(unfinished), [.writeOnly, .create, .truncate], mode: 0o600)
            try file.write(bytes)
            try file.synchronize()
            try directory.descriptor.rename(entry: unfinished, to: name)
            try directory.descriptor.synchronize()
        } catch {
            // What is left of it takes room that there is none of.
            try? directory.descriptor.remove(entry: unfinished)
            throw Failure(subject: name, reason: "\(error)")
        }
    }

    /// Removes a job from the history.
    func remove(_ job: String) throws(Failure) {
        order.withLock { _ = $0.numbers.removeValue(forKey: job) }
        unwritten.withLock { $0[job] = nil }
        do throws(Errno) {
            try directory.descriptor.remove(entry: job + Self.ending)
        } catch .noSuchFileOrDirectory {
        } catch {
            throw Failure(subject: job + Self.ending, reason: "\(error)")
        }
    }
}
