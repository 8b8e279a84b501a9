// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// How a worker's work ended.
enum WorkerEnding: Equatable {
    /// With a report.
    case report(Report)
    /// With a check.
    case check(CheckReport)
    /// With a look at new data.
    case newData(NewDataReply)
    /// With a job's result.
    case result(JobResult)
    /// With what a job had brought when it was cancelled.
    case cancelled(JobResult)
    /// With an error of the worker's own.
    case failure(ServiceException.Kind, message: String, detail: String)
    /// Without a last line: it died, was killed or took too long.
    case interrupted(detail: String)
    /// It said something that it should not.
    case malformed(detail: String)
}

/// How to start workers.
struct WorkerProgram: Sendable {
    /// The program; nil for this one, under the worker's name.
    let executable: FilePath?
    /// Where it keeps fingerprints.
    let cacheDirectory: FilePath
    /// Where it keeps what must not be lost about a file system.
    let stateDirectory: FilePath

    /// Nothing of the daemon's environment reaches the worker.
    private static let environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"]

    /// By this name our program is a worker.
    private static let name = "qubes-btrfs-worker"
    /// The file that this process was started from, also when another one has its path by now
    /// (proc(5)).
    private static let own = "/proc/self/exe"

    /// Starts one and hands it its order.
    func start(_ order: WorkerOrder) throws(Refusal) -> WorkerProcess {
        let bytes = try encode(order)
        let path = executable?.string ?? Self.own
        do throws(Errno) {
            var standardInput: SharedDescriptor?
            var process: WorkerProcess?
            let orders = try Descriptor.pipe()
            let messages = try Descriptor.pipe()
            let child = try ChildProcess.spawn(
                executable: path, name: executable == nil ? Self.name : path,
                arguments: [
                    "--cache-directory", cacheDirectory.string, "--state-directory",
                    stateDirectory.string,
                ],
                environment: Self.environment, standardInput: orders.first,
                standardOutput: messages.second)
            orders.split { _, writing in standardInput = SharedDescriptor(writing) }
            messages.split { reading, _ in
                process = WorkerProcess(child, messages: SharedDescriptor(reading))
            }
            guard let standardInput, let process else { throw .badFileDescriptor }
            try process.send(bytes, standardInput)
            return process
        } catch {
            throw .failed(
                "The worker could not be started.",
                detail: "\(path): \(error)")
        }
    }

    private func encode(_ order: WorkerOrder) throws(Refusal) -> [UInt8] {
        let bytes: [UInt8]
        do {
            bytes = try [UInt8](JSONEncoder().encode(order))
        } catch {
            throw .failed("The order could not be written.", detail: "\(error)")
        }
        guard bytes.count <= Limits.orderBytes else {
            throw .failed(
                "This machine has too many volumes.",
                detail: "the order takes \(bytes.count) bytes, allowed are \(Limits.orderBytes)")
        }
        return bytes
    }
}

/// A worker that runs.
final class WorkerProcess: Sendable {
    private let child: ChildProcess
    private let messages: SharedDescriptor
    private let life = Monitor(Life())
    private let wanted = Monitor(Wanted())

    private struct Life {
        var isRunning = true
        /// The last that it said was that its file system stands still.
        var standsStill = false
    }

    /// How often it is looked at whether the time that a worker was given goes by.
    private static let stepSeconds = 0.25

    /// What the worker shall do, as it was asked for last: however often somebody asks, and however
    /// slowly the worker reads, there is never more to tell than this.
    private struct Wanted {
        var isPaused = false
        var isCancelled = false
        var isOver = false

        /// What brings a worker that knows of `self` to `other`.
        func words(to other: Wanted) -> [WorkerControl] {
            var words: [WorkerControl] = []
            if other.isPaused != isPaused { words.append(other.isPaused ? .pause : .resume) }
            if other.isCancelled && !isCancelled { words.append(.cancel) }
            return words
        }
    }

    fileprivate init(_ child: ChildProcess, messages: SharedDescriptor) {
        self.child = child
        self.messages = messages
    }

    /// A thread of its own writes the order, and later the words: a pipe may be full, and a worker
    /// that does not read must not hold the daemon. It ends when the worker does.
    fileprivate func send(_ order: [UInt8], _ standardInput: SharedDescriptor) throws(Errno) {
        let wanted = wanted
        do throws(Errno) {
            try WorkThread.start {
                do throws(Errno) {
                    try standardInput.descriptor.write(order + [UInt8(ascii: "\n")])
                    var told = Wanted()
                    while let next = Self.next(wanted, after: told) {
                        for word in told.words(to: next) {
                            try standardInput.descriptor.write(Array("\(word.rawValue)\n".utf8))
                        }
                        told = next
                    }
                } catch {
                    // It is gone, and whoever waits for it learns so.
                }
            }
        } catch {
            kill()
            _ = try? child.wait()
            throw error
        }
    }

    /// Waits for something to tell; nil once the worker is over.
    private static func next(_ wanted: Monitor<Wanted>, after told: Wanted) -> Wanted? {
        wanted.wait { wanted -> Wanted?? in
            if wanted.isOver { return .some(nil) }
            return told.words(to: wanted).isEmpty ? nil : .some(wanted)
        } ?? nil
    }

    /// Tells it to hold or to go on. Waits for nothing.
    func setPaused(_ isPaused: Bool) { wanted.withLock { $0.isPaused = isPaused } }

    /// Tells it to end, and ends it when it has not after `graceSeconds`. What goes by while its
    /// file system stands still is not counted: it could not end in it, and would be killed in the
    /// moment in which it can.
    func cancel(graceSeconds: Double) {
        let isNew = wanted.withLock { wanted in
            defer { wanted.isCancelled = true }
            return !wanted.isCancelled
        }
        if isNew { killAfter(graceSeconds, countsStandstill: false) }
    }

    /// Ends it at once. Its work is safe to be cut anywhere. Nothing happens once it is over.
    func kill() { life.withLock { if $0.isRunning { child.kill() } } }

    /// Reads all it says and waits for its end. To be called once.
    /// - Parameters:
    ///   - lineBytes: the longest line.
    ///   - limitSeconds: the longest time it may take, then it is killed.
    ///   - progress: gets each progress as it comes.
    func finish(
        lineBytes: Int, limitSeconds: Double? = nil, progress: (JobProgress) -> Void
    ) -> WorkerEnding {
        if let limitSeconds { killAfter(limitSeconds, countsStandstill: true) }
        let said = listen(lineBytes: lineBytes) { [life] news in
            life.withLock { $0.standsStill = news.pacing?.reason == .standstill }
            progress(news)
        }
        // Whoever has said its last word, or nonsense, has nothing left to do.
        if case .malformed = said { kill() }
        let ending: String
        do throws(Errno) {
            switch try child.wait() {
            case .exited(let status): ending = "the worker exited with \(status)"
            case .killed(let signal): ending = "the worker was killed by signal \(signal)"
            }
        } catch {
            ending = "the worker could not be waited for: \(error)"
        }
        life.withLock { $0.isRunning = false }
        wanted.withLock { $0.isOver = true }
        return said ?? .interrupted(detail: ending)
    }

    /// - Parameter countsStandstill: time in which its file system stands still counts as well.
    private func killAfter(_ limitSeconds: Double, countsStandstill: Bool) {
        let life = life
        // Without the thread there is no limit: a report that works is better than none.
        try? WorkThread.start { [self] in
            var left = limitSeconds
            while left > 0 {
                let step = min(left, Self.stepSeconds)
                let isOver = life.wait(timeoutSeconds: step) { $0.isRunning ? nil : true }
                if isOver != nil { return }
                let isSpared = !countsStandstill && life.withLock { $0.standsStill }
                if !isSpared { left -= step }
            }
            kill()
        }
    }

    /// The last word, or nil when the worker ended without one.
    private func listen(lineBytes: Int, progress: (JobProgress) -> Void) -> WorkerEnding? {
        var lines = LineReader(messages, lineBytes: lineBytes)
        var last: WorkerEnding?
        do {
            while let line = try lines.next() {
                guard last == nil else {
                    return .malformed(detail: "the worker went on after its last line")
                }
                switch try JSONDecoder().decode(WorkerMessage.self, from: Data(line)) {
                case .progress(let news): progress(news)
                case .report(let report): last = .report(report)
                case .check(let check): last = .check(check)
                case .newData(let reply): last = .newData(reply)
                case .result(let result): last = .result(result)
                case .cancelled(let result): last = .cancelled(result)
                case .failure(let kind, let message, let detail):
                    let kind = ServiceException.Kind(rawValue: kind) ?? .failed
                    last = .failure(kind, message: message, detail: detail)
                }
            }
        } catch {
            return .malformed(detail: "the worker's output could not be understood: \(error)")
        }
        return last
    }
}
