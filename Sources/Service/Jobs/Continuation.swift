// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// A job that the daemon's orderly end has interrupted, as it was asked for: the next daemon asks
/// for it once more.
struct ContinuedJob: Codable, Equatable {
    /// The id of the job that was interrupted.
    let job: String
    let operation: Operation
    let work: WorkerOrder.Work
    /// Who had asked for it.
    let caller: String
    /// The qube's name, or `dom0`.
    let target: String
    /// The qube's UUID: another one of its name is not it.
    let uuid: String?
    let argument: String
    let excluded: [String]
    let onBattery: Bool
    let risksReadOnly: Bool
    /// The time that it was given, in seconds; nil is as long as it needs.
    let forSeconds: Int?
    /// Its time counts from the call on: somebody has named a moment.
    let waitCounts: Bool
    /// Seconds since 1970.
    let submittedAt: Int64
    /// How long it had been at work, in seconds.
    let workedSeconds: Int64
    /// Somebody had it paused: it waits for them.
    let isPaused: Bool

    /// - Parameter now: when the daemon was told to end, in seconds since 1970.
    init(_ record: JobRecord, _ request: JobRequest, now: Int64) {
        job = record.job
        operation = request.operation
        work = request.work
        caller = request.caller
        target = record.target
        uuid = request.uuid
        argument = request.argument.text
        excluded = request.excluded.sorted()
        onBattery = request.onBattery
        risksReadOnly = request.risksReadOnly
        forSeconds = request.time?.forSeconds
        waitCounts = request.time?.waitCounts ?? false
        submittedAt = record.submittedAt
        workedSeconds = max(0, now - (record.startedAt ?? now))
        isPaused = record.state == .paused
    }

    /// The same request, to be asked now.
    /// - Returns: nil when its time is over.
    /// - Throws: when it is none that a call could have made.
    func request(_ clock: MachineClock) throws(Refusal) -> JobRequest? {
        guard let service = operation.service else { throw .noSuchService }
        // Held to the same rules as the call was: a file may hold anything.
        let call = try Call(
            untrusted: CallHeader(
                service: service.rawValue, argument: argument, source: caller,
                target: .name(target)))
        var time: TimeLimit?
        if let forSeconds {
            let gone = waitCounts ? clock.epochSeconds() - submittedAt : workedSeconds
            let left = Int64(forSeconds) - gone
            guard let seconds = Int(exactly: left), TimeLimit.seconds.contains(seconds) else {
                return nil
            }
            time = TimeLimit(forSeconds: seconds, waitCounts: waitCounts)
        }
        return JobRequest(
            operation: operation, work: work, caller: call.caller.text, target: call.target,
            uuid: uuid, argument: call.argument, excluded: Set(excluded), onBattery: onBattery,
            risksReadOnly: risksReadOnly, time: time, askedAt: clock.now())
    }
}

extension JobRequest {
    /// It asks for the same, whatever time it is given.
    func asksTheSame(as other: JobRequest) -> Bool {
        operation == other.operation && work == other.work && caller == other.caller
            && target == other.target && uuid == other.uuid && argument == other.argument
            && excluded == other.excluded && onBattery == other.onBattery
            && risksReadOnly == other.risksReadOnly
    }
}

/// Where such jobs are kept from one daemon to the next. There is a file as long as there are any:
/// the unit that starts the daemon for them looks for it.
struct ContinuationStore: Sendable {
    /// The file's name in the state directory.
    static let name = "continue.json"
    /// The longest file that is read, in bytes: a full queue, each with as many names left out as
    /// a request may have.
    static let limitBytes = 2 * 1024 * 1024

    private struct Stored: Codable {
        var version: ProtocolVersion
        var jobs: [ContinuedJob]
    }

    private let directory: SharedDescriptor

    init(stateDirectory: FilePath) throws(Errno) {
        directory = SharedDescriptor(
            try Descriptor.open(stateDirectory, [.readOnly, .directory]))
    }

    /// What the daemon before has left; none where there is no file, or none that can be read.
    /// - Parameter trouble: told why it cannot be read.
    func read(trouble: (String) -> Void) -> [ContinuedJob] {
        let bytes: [UInt8]?
        do throws(Errno) {
            let file = try directory.descriptor.open(
                beneath: FilePath(Self.name), [.readOnly, .noFollow, .nonBlocking])
            bytes = try file.readToEnd(limitBytes: Self.limitBytes)
        } catch .noSuchFileOrDirectory {
            return []
        } catch {
            trouble("\(error)")
            return []
        }
        guard let bytes, let stored = try? JSONDecoder().decode(Stored.self, from: Data(bytes)),
            stored.version == .current
        else {
            trouble("it is not of this release, or broken")
            return []
        }
        return stored.jobs
    }

    /// Keeps these, and no others; without any the file goes.
    func write(_ jobs: [ContinuedJob]) throws {
        if jobs.isEmpty { return try remove() }
        let bytes = try [UInt8](JSONEncoder().encode(Stored(version: .current, jobs: jobs)))
        try directory.descriptor.replace(entry: Self.name, with: bytes)
    }

    private func remove() throws(Errno) {
        do throws(Errno) {
            try directory.descriptor.remove(entry: Self.name)
            try directory.descriptor.synchronize()
        } catch .noSuchFileOrDirectory {
        } catch {
            throw error
        }
    }
}
