// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage

@testable import Service

/// A file of history, as a daemon that starts finds it.
@Sendable func fuzzHistory(_ untrusted: [UInt8]) {
    guard let history else { return complain("no folder in /dev/shm") }
    do {
        let file = try Descriptor.open(
            history.file, [.writeOnly, .create, .truncate], mode: 0o600)
        try file.write(untrusted)
        let found = try history.store.load()
        demand(
            found.jobs.count + found.newer + found.strays.count == 1,
            "a file is a job, one of a later release, or a stray")
        for record in found.jobs {
            demand(record.job == History.job, "a job has the name of its file")
            show(record)
        }
    } catch {
        demand(false, "\(error)")
    }
}

/// A folder of history with one file.
private struct History {
    static let job = "0123456789abcdef0123"

    let store: JobStore
    let file: FilePath
}

/// Each process has its own, removed by nobody: some bytes of memory, and the tests' folder.
private let history: History? = {
    let folder = FilePath("/dev/shm/qubes-btrfs-fuzz")
    let own = folder.appending("\(getpid())")
    for path in [folder, own] { unsafe mkdir(path.string, 0o700) }
    guard let store = try? JobStore(stateDirectory: own) else { return nil }
    return History(
        store: store, file: own.appending("jobs").appending(History.job + ".json"))
}()

/// A line that a worker says.
@Sendable func fuzzWorker(_ untrusted: [UInt8]) {
    guard let message = try? JSONDecoder().decode(WorkerMessage.self, from: Data(untrusted)) else {
        return
    }
    switch message {
    case .progress(let progress): show(progress)
    case .report(let report): show(report)
    case .result(let result):
        let bounded = result.bounded()
        demand(bounded.problems.count <= Limits.namedItems, "a result is bounded")
        _ = bounded.savedBytes
        var record = JobRecord(
            job: History.job, operation: .compress, caller: "dom0", target: "work", argument: "",
            submittedAt: 0)
        record.state = .done
        record.result = bounded
        show(record)
    case .failure(_, let message, _):
        demand(message.bounded().count <= 503, "a message is bounded")
    default:
        // What else a worker says is read and passed on.
        break
    }
}

/// What the service answers, on its way into a client's terminal; the first byte says in which
/// pieces it comes.
@Sendable func fuzzAnswer(_ untrusted: [UInt8]) {
    guard let first = untrusted.first else { return }
    let bytes = Array(untrusted.dropFirst())
    let whole = envelopes(bytes, pieceBytes: max(1, bytes.count))
    let pieces = envelopes(bytes, pieceBytes: Int(first) % 16 + 1)
    demand(whole == pieces, "an answer means the same in whatever pieces it comes")
    for envelope in whole {
        switch envelope {
        case .reply(let content): show(content)
        case .event(_, _, let fields):
            for field in fields { show(Array(field.value.utf8)) }
        case .exception(let exception): show(exception)
        }
    }
}

private func envelopes(_ bytes: [UInt8], pieceBytes: Int) -> [Envelope] {
    var reader = EnvelopeReader()
    var found: [Envelope] = []
    do {
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            reader.append(bytes[start..<min(start + pieceBytes, bytes.count)])
            while let event = try reader.nextEvent() { found.append(event) }
        }
        found.append(try reader.last())
    } catch {
        // Neither an event nor an end: what came before counts.
    }
    return found
}

private func show(_ content: [UInt8]) {
    let decoder = JSONDecoder()
    let data = Data(content)
    if let list = try? decoder.decode(JobList.self, from: data) { show(list) }
    if let record = try? decoder.decode(JobRecord.self, from: data) { show(record) }
    if let report = try? decoder.decode(Report.self, from: data) { show(report) }
    if let progress = try? decoder.decode(JobProgress.self, from: data) { show(progress) }
}
