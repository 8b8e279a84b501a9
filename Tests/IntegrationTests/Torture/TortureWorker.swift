// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol

/// The real worker at one order, while the test goes on.
final class TortureWorker {
    /// Longer than any job here takes, on a machine that does much else.
    static let patienceSeconds = 300

    private let process = Process()
    private let input = Pipe()
    private let output: String
    private let errors: String
    private var isKilled = false

    init(_ order: WorkerOrder, in folder: String) throws {
        output = folder + "/worker.out"
        errors = folder + "/worker.err"
        // Files, not pipes: nothing can fill up and wait for us.
        for path in [output, errors] {
            try Data().write(to: URL(fileURLWithPath: path))
        }
        process.executableURL = URL(fileURLWithPath: Command.program("qubes-btrfs-worker"))
        process.arguments = [
            "--cache-directory", folder + "/cache", "--state-directory", folder + "/state",
        ]
        process.standardInput = input
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        try process.run()
        try input.fileHandleForWriting.write(
            contentsOf: try JSONEncoder().encode(order) + Data("\n".utf8))
    }

    deinit { if process.isRunning { kill() } }

    var isRunning: Bool { process.isRunning }

    func kill() {
        isKilled = process.isRunning
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func say(_ word: WorkerControl) { WorkerSession.say([word], through: input) }

    private func messages() throws -> [WorkerMessage] {
        // What it is just writing has no end yet.
        let text = try String(contentsOfFile: output, encoding: .utf8)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        return try lines.map { try JSONDecoder().decode(WorkerMessage.self, from: Data($0.utf8)) }
    }

    /// It has ended with a report.
    var hasReported: Bool {
        guard case .report? = (try? messages())?.last else { return false }
        return !isRunning
    }

    /// It waits until there is room again.
    var isHeldForRoom: Bool {
        get throws {
            guard case .progress(let progress)? = try messages().last else { return false }
            return progress.pacing?.state == .held && progress.pacing?.reason == .space
        }
    }

    /// How it ended, when it has.
    /// - Parameter mayLackRoom: that there was no room is a good reason not to do anything.
    func ending(mayLackRoom: Bool = false) throws -> TortureEnding {
        let end = ContinuousClock.now + .seconds(Self.patienceSeconds)
        while process.isRunning {
            guard ContinuousClock.now < end else {
                kill()
                throw TortureModel.Broken(description: "the worker does not come to an end")
            }
            usleep(2000)
        }
        if isKilled, process.terminationReason == .uncaughtSignal { return .killed }
        let last = try messages().last
        switch last {
        case .result(let result)?: return .done(result)
        case .cancelled(let result)?: return .cancelled(result)
        case .failure(let kind, let message, _)?
        where mayLackRoom && kind == ServiceException.Kind.unsuitablePool.rawValue
            && message.contains(#/has room for|no space left|a quota leaves no room/#):
            return .lackedRoom(message)
        default:
            let log = (try? String(contentsOfFile: errors, encoding: .utf8)) ?? ""
            throw TortureModel.Broken(
                description: "the job: \(String(describing: last)), status"
                    + " \(process.terminationStatus), \(log)")
        }
    }
}

/// How a job ended, other than by an error.
enum TortureEnding {
    case done(JobResult)
    case cancelled(JobResult)
    case killed
    case lackedRoom(String)
}

/// A job by chance, and what becomes of it.
struct TortureJob: CustomStringConvertible {
    enum Fate: Equatable { case left, killed, cancelled, held }

    let work: WorkerOrder.Work
    let volumes: [WorkerOrder.Volume]
    let seconds: Int?
    let fate: Fate
    /// When that happens, with nobody beside it.
    let microseconds: UInt32

    init(_ random: inout TortureRandom, _ fate: Fate? = nil) {
        let level = random.pick([nil, 1, 3, 3, 6, 9, 15])
        let running = random.chance(60)
        work = random.pick([
            .compress(level: level, running: running), .compress(level: level, running: running),
            .dedupe(running: running), .dedupe(running: running),
            .optimize(level: level, running: running), .optimize(level: level, running: running),
            .defragment(running: running), .sparsify(running: running),
        ])
        var volumes = TortureDriver.volumes()
        let isOneGroup = random.chance(60)
        let isWhole = random.chance(60)
        for index in volumes.indices {
            volumes[index].dedupeGroup = isOneGroup ? "all" : "group\(index % 3)"
            volumes[index].selected = isWhole || random.chance(50)
            volumes[index].skipped = random.chance(8)
            if random.chance(20) { volumes[index].compressionLevel = random.number(1..<13) }
        }
        if !volumes.contains(where: { $0.selected && !$0.skipped }) {
            volumes[0].selected = true
            volumes[0].skipped = false
        }
        self.volumes = volumes
        seconds = random.chance(10) ? 1 : nil
        self.fate = fate ?? random.pick([.left, .left, .left, .killed, .cancelled, .held])
        microseconds = UInt32(random.number(0..<1_200_000))
    }

    func order(on disk: TortureDisk) -> WorkerOrder {
        var order = WorkerOrder(
            work: work,
            pools: zip(["pool", "second"], TortureDriver.pools).map {
                .init(name: $0, directory: disk.path + "/" + $1)
            },
            volumes: volumes, wholeMachine: true)
        order.forSeconds = seconds
        return order
    }

    var description: String {
        let scope = volumes.filter(\.selected).map { "\($0.qube):\($0.name)" }
        let skipped = volumes.filter(\.skipped).map { "\($0.qube):\($0.name)" }
        let groups = Set(volumes.map(\.dedupeGroup)).count
        return "\(work) of \(scope.joined(separator: " ")), without"
            + " [\(skipped.joined(separator: " "))], \(groups) groups, for"
            + " \(seconds.map(String.init) ?? "ever"), \(fate) (\(microseconds / 1000) ms)"
    }
}
