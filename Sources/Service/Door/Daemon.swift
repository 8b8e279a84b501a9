// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// The daemon: takes connections, each on a thread of its own.
final class Daemon: Sendable {
    private let listener: SharedDescriptor
    private let bounds: Bounds
    private let entrance: Entrance
    private let handler: CallHandler
    private let audit: AuditLog
    /// Nil where it cannot be opened: then nothing goes on.
    private let continuations: ContinuationStore?
    private let ownership: Ownership
    private let isStopping = Monitor(false)

    /// Reads history and starts. From here on calls are answered.
    /// - Parameter clock: what is decided by time goes by it, and what is written down is dated.
    init(
        _ settings: Settings, listener: consuming Descriptor, clock: MachineClock,
        bounds: Bounds = Bounds()
    ) throws(StartError) {
        // A client or a worker that is gone is an error of one write, not the end of the daemon.
        Signals.ignoreBrokenPipes()
        // Before anything there is read or written.
        ownership = try Ownership(settings)
        self.listener = SharedDescriptor(listener)
        self.bounds = bounds
        entrance = Entrance(bounds: bounds)
        audit = AuditLog(
            file: settings.logFile, journalSocket: settings.journalSocket, clock: clock,
            bounds: bounds)
        let workers = WorkerProgram(
            executable: settings.worker, cacheDirectory: settings.cacheDirectory,
            stateDirectory: settings.stateDirectory)
        let qubes = QubesState(
            qubesXML: settings.qubesXML, qubesdSocket: settings.qubesdSocket,
            systemRoot: settings.systemRoot, keptSeconds: bounds.visibilitySeconds,
            clock: clock)
        let accounts = AccountMaker(workers: workers, bounds: bounds, clock: clock)
        continuations = try? ContinuationStore(stateDirectory: settings.stateDirectory)
        do {
            let store = try JobStore(stateDirectory: settings.stateDirectory)
            let jobs = Jobs(
                history: try JobRunner.history(store, audit: audit, clock: clock), bounds: bounds,
                clock: clock)
            let runner = JobRunner(
                jobs: jobs, store: store, qubes: qubes, workers: workers, audit: audit,
                bounds: bounds, onEnd: { accounts.forget() })
            handler = CallHandler(
                qubes: qubes, accounts: accounts, runner: runner,
                history: HistoryStore(stateDirectory: settings.stateDirectory, audit: audit),
                growth: GrowthStore(stateDirectory: settings.stateDirectory, audit: audit),
                audit: audit, bounds: bounds)
            audit.write(AuditRecord(.start))
            runner.goOn(continuations)
            try runner.start()
            try WorkThread.start { [self] in acceptAll() }
        } catch {
            throw StartError(description: "\(error)")
        }
    }

    /// The jobs, for tests.
    var jobs: Jobs { handler.runner.jobs }

    /// A job waits or runs.
    var hasJobs: Bool { !handler.runner.jobs.isIdle }

    /// Somebody who has said who calls is being answered.
    var isAnswering: Bool { !entrance.isEmpty }

    /// Takes no more calls, ends reports, and has the running job's worker end, which takes back
    /// what is half moved; the job is noted down as interrupted, and goes on with the next daemon.
    func stop() {
        isStopping.withLock { $0 = true }
        listener.descriptor.shutdownBoth()
        handler.accounts.stop()
        handler.runner.stop(continuations)
        audit.flush()
        audit.write(AuditRecord(.stop))
        ownership.end()
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

    /// Gives a connection its thread. It has a stranger's place until it says who calls.
    private func admit(_ socket: SharedDescriptor) throws(Errno) {
        let connection = try Connection(socket, bounds: bounds)
        let place = entrance.admitStranger(origin: Origin.of(socket.descriptor)) {
            // Small enough for the socket's buffer, so that it waits for nobody.
            try? connection.write(.exception(Entrance.displaced.exception))
            connection.cut()
        }
        try WorkThread.start { [self] in serve(connection, place) }
    }

    /// Reads one call, answers it, and is done. A client that goes away changes nothing: what was
    /// asked for whole is done, and only the answer is lost.
    private func serve(_ connection: Connection, _ place: Ticket) {
        var untrustedHeader: CallHeader?
        do throws(Refusal) {
            let (header, untrustedRest) = try connection.readHeader()
            untrustedHeader = header
            let own = try entrance.admit(header.source)
            place.giveBack()
            defer { own.giveBack() }
            let untrustedPayload = try connection.readPayload(untrustedRest: untrustedRest)
            send(handler.answer(header, untrustedPayload: untrustedPayload), connection)
        } catch {
            // Whatever place it had is free before it is told so: it may take its time to read it.
            let wasDisplaced = !place.giveBack()
            audit.refused(untrustedHeader, wasDisplaced ? Entrance.displaced : error)
            if !wasDisplaced { refuse(connection, error) }
        }
    }

    /// Tells why. What it sends meanwhile is read and dropped, so that it gets to read this; where
    /// there are too many of those, the answer may be lost.
    private func refuse(_ connection: Connection, _ refusal: Refusal) {
        try? connection.write(.exception(refusal.exception))
        guard let leaving = entrance.admitToLeave() else { return }
        connection.linger(seconds: bounds.refusalSeconds)
        leaving.giveBack()
    }

    private func send(_ answer: Answer, _ connection: Connection) {
        switch answer {
        // Where it is not taken: what was asked for is done all the same.
        case .whole(let envelope): try? connection.write(envelope)
        case .stream(let watch, let open): send(watch, open, connection)
        case .hold(let hold, let open): keep(hold, open, connection)
        }
    }

    private func send(_ watch: JobWatch, _ open: OpenCall, _ connection: Connection) {
        var watch = watch
        do throws(Errno) {
            while let envelope = watch.next() { try connection.write(envelope) }
        } catch {
            // Gone, or it does not read: the job goes on, and its record stays to be asked for.
            return open.end(outcome: AuditRecord.goneOutcome)
        }
        if let refusal = watch.refusal {
            open.end(outcome: refusal.exception.kind.rawValue, detail: refusal.detail ?? "")
        } else {
            open.end()
        }
    }

    /// Holds jobs for as long as the caller is there and takes what it is sent.
    private func keep(_ hold: JobHold, _ open: OpenCall, _ connection: Connection) {
        var hold = hold
        do throws(Errno) {
            while let envelope = hold.next() {
                try connection.write(envelope)
                if hold.isOver || connection.ends(withinSeconds: bounds.beatSeconds) { break }
            }
        } catch {
            // Gone: this is how a hold ends.
        }
        hold.release()
        if let refusal = hold.refusal {
            open.end(outcome: refusal.exception.kind.rawValue, detail: refusal.detail ?? "")
        } else {
            open.end(detail: hold.isOver ? "ended by the service" : "")
        }
    }
}

/// Why the daemon did not start.
struct StartError: Error, CustomStringConvertible {
    let description: String
}
