// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// The daemon: takes connections, each on a thread of its own.
final class Daemon: Sendable {
    private let listener: SharedDescriptor
    private let bounds: Bounds
    private let places: Places
    private let handler: CallHandler
    private let audit: AuditLog
    private let isStopping = Monitor(false)

    /// Reads history and starts. From here on calls are answered.
    init(
        _ settings: Settings, listener: consuming Descriptor, bounds: Bounds = Bounds()
    ) throws(StartError) {
        // A client or a worker that is gone is an error of one write, not the end of the daemon.
        Signals.ignoreBrokenPipes()
        self.listener = SharedDescriptor(listener)
        self.bounds = bounds
        places = Places(bounds: bounds)
        audit = AuditLog(file: settings.logFile, journalSocket: settings.journalSocket)
        let workers = WorkerProgram(
            executable: settings.worker, cacheDirectory: settings.cacheDirectory,
            stateDirectory: settings.stateDirectory)
        let machine = Machine(
            qubesXML: settings.qubesXML, qubesdSocket: settings.qubesdSocket,
            systemRoot: settings.systemRoot)
        do {
            let store = try JobStore(stateDirectory: settings.stateDirectory)
            let jobs = Jobs(history: try JobRunner.history(store, audit: audit), bounds: bounds)
            let runner = JobRunner(
                jobs: jobs, store: store, machine: machine, workers: workers, audit: audit,
                standingSeconds: bounds.standingSeconds, graceSeconds: bounds.graceSeconds)
            handler = CallHandler(
                machine: machine, reports: ReportMaker(workers: workers, bounds: bounds),
                runner: runner,
                history: HistoryStore(stateDirectory: settings.stateDirectory, audit: audit),
                audit: audit, bounds: bounds)
            try runner.start()
            audit.write(AuditRecord(.start))
            try WorkThread.start { [self] in acceptAll() }
        } catch {
            throw StartError(description: "\(error)")
        }
    }

    /// The jobs, for tests.
    var jobs: Jobs { handler.runner.jobs }

    /// Takes no more calls, ends reports, and has the running job's worker end, which takes back
    /// what is half moved; the job is noted down as interrupted.
    func stop() {
        isStopping.withLock { $0 = true }
        listener.descriptor.shutdownBoth()
        handler.reports.stop()
        handler.runner.jobs.stop()
        audit.write(AuditRecord(.stop))
    }

    private func acceptAll() {
        /// How long a failure that may last is left to pass, in seconds.
        let pauseSeconds = 1.0
        while !isStopping.withLock({ $0 }) {
            do throws(Errno) {
                try admit(SharedDescriptor(try listener.descriptor.accept()))
            } catch .connectionAbort {
            } catch {
                if isStopping.withLock({ $0 }) { return }
                audit.trouble("a connection could not be taken: \(error)")
                _ = isStopping.wait(timeoutSeconds: pauseSeconds) { $0 ? true : nil }
            }
        }
    }

    /// Gives a connection its thread, or tells it that there is no place.
    private func admit(_ socket: SharedDescriptor) throws(Errno) {
        let connection = try Connection(socket, bounds: bounds)
        guard places.take() else {
            refuse(connection)
            return
        }
        do throws(Errno) {
            try WorkThread.start { [self] in
                serve(connection)
                places.leave()
            }
        } catch {
            places.leave()
            throw error
        }
    }

    /// Tells a connection that there is no place. What it has sent is read and dropped on a thread,
    /// so that it gets to read this; where there are too many of those, the answer may be lost.
    private func refuse(_ connection: Connection) {
        let busy = Places.allTaken
        audit.request(nil, busy)
        // Small enough for the socket's buffer, so that it waits for nobody.
        try? connection.write(.exception(busy.exception))
        guard places.takeToRefuse() else { return }
        do throws(Errno) {
            try WorkThread.start { [self] in
                connection.linger(seconds: bounds.refusalSeconds)
                places.leaveRefused()
            }
        } catch {
            places.leaveRefused()
        }
    }

    /// Reads one call, answers it, and is done. A client that goes away changes nothing: what was
    /// asked for whole is done, and only the answer is lost.
    private func serve(_ connection: Connection) {
        var untrustedHeader: CallHeader?
        do throws(Refusal) {
            let (header, untrustedRest) = try connection.readHeader()
            untrustedHeader = header
            let caller = header.source
            try places.take(caller)
            defer { places.leave(caller) }
            let untrustedPayload = try connection.readPayload(untrustedRest: untrustedRest)
            send(handler.answer(header, untrustedPayload: untrustedPayload), connection)
        } catch {
            audit.request(untrustedHeader, error)
            try? connection.write(.exception(error.exception))
            connection.linger()
        }
    }

    private func send(_ answer: Answer, _ connection: Connection) {
        do throws(Errno) {
            switch answer {
            case .whole(let envelope): try connection.write(envelope)
            case .stream(var watch):
                while let envelope = watch.next() { try connection.write(envelope) }
            }
        } catch {
            // Gone, or it does not read: the job goes on, and its record stays to be asked for.
        }
    }
}

/// Why the daemon did not start.
struct StartError: Error, CustomStringConvertible {
    let description: String
}
