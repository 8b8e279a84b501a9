// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage

/// Listens to qubesd and asks for jobs, until a signal comes.
struct FollowRun {
    /// The longest wait for an event: then all is looked at once more, in seconds.
    static let mostWaitSeconds = 3600.0
    /// When to look again at what could not be done now.
    static let laterSeconds = 60.0
    /// How much is read at once, in bytes.
    private static let pieceBytes = 64 * 1024

    let context: CommandContext
    let qubesd: QubesdSocket
    /// The clock, by which everything here goes.
    let now: () -> FollowRules.Moment
    private var rules: FollowRules
    private var backOff = BackOff()
    /// What was said last, so that what lasts is said once.
    private var trouble: String?

    init(
        _ context: CommandContext, qubesd: QubesdSocket, quiet: Duration,
        now: @escaping () -> FollowRules.Moment
    ) {
        self.context = context
        self.qubesd = qubesd
        self.now = now
        rules = FollowRules(quiet: quiet)
    }

    private var interruption: Interruption { context.client.interruption }

    /// Goes on until a signal comes, whatever becomes of qubesd or of the service.
    mutating func run() -> ExitStatus {
        while !interruption.isInterrupted {
            do throws(ClientError) {
                try listen(qubesd.events())
            } catch {
                say(error)
            }
            pause(seconds: backOff.next())
        }
        return .done
    }

    /// Takes events until there are no more.
    private mutating func listen(_ connection: QubesdConnection) throws(ClientError) {
        var reader = EnvelopeReader()
        while !interruption.isInterrupted {
            askForDue()
            let untrustedPiece = interruption.cancelling({ connection.cancel() }) {
                connection.read(maximumBytes: Self.pieceBytes, withinSeconds: waitSeconds)
            }
            guard let untrustedPiece else { continue }
            if untrustedPiece.isEmpty { break }
            reader.append(untrustedPiece)
            do throws(EnvelopeError) {
                while let event = try reader.nextEvent() { take(event) }
            } catch {
                throw .unreadableQubesd(socket: qubesd.path.string)
            }
            // What is no event has no end that could be waited for.
            guard reader.pendingBytes <= Limits.eventBytes else {
                throw .unreadableQubesd(socket: qubesd.path.string)
            }
        }
        if !interruption.isInterrupted { throw .qubesdEnded(socket: qubesd.path.string) }
    }

    private mutating func take(_ untrustedEvent: Envelope) {
        backOff.reset()
        trouble = nil
        guard let change = QubeChange(untrusted: untrustedEvent) else { return }
        rules.take(change, at: now())
    }

    private var waitSeconds: Double {
        guard let due = rules.nextDue else { return Self.mostWaitSeconds }
        return min(max(0, (due - now()).inSeconds), Self.mostWaitSeconds)
    }

    /// Waits, or less when a signal comes.
    private func pause(seconds: Double) {
        let isOver = Monitor(false)
        interruption.cancelling({ isOver.withLock { $0 = true } }) {
            _ = isOver.wait(timeoutSeconds: seconds) { $0 ? true : nil }
        }
    }

    // MARK: Asking

    private mutating func askForDue() {
        let due = rules.due(at: now())
        if due.isEmpty { return }
        do throws(ClientError) {
            let kinds = try qubesd.kinds(interruption)
            for qube in due {
                // Each time anew: what was asked for a moment ago waits there by now.
                let jobs = try context.client.jobs().jobs
                switch rules.verdict(qube, kinds[qube], jobs) {
                case .drop: rules.drop(qube)
                case .later: rules.postpone(qube, until: later)
                case .ask: try ask(qube)
                }
            }
        } catch {
            if interruption.isInterrupted { return }
            say(error)
            for qube in rules.due(at: now()) { rules.postpone(qube, until: later) }
        }
    }

    private var later: FollowRules.Moment {
        now() + max(rules.quiet, .seconds(Self.laterSeconds))
    }

    private mutating func ask(_ qube: QubeName) throws(ClientError) {
        do throws(ClientError) {
            let accepted = try context.client.start(
                .optimize, target: qube.text, volume: "", request: CompressRequest())
            rules.drop(qube)
            guard let job = JobID(accepted.job) else { throw .unreadable("job's acceptance") }
            context.console.note(Line("Job \(job): optimize \(qube), which has new data."))
        } catch .service(let exception) where exception.kind != .busy && exception.kind != .failed {
            // As it is gone, or on no Btrfs: asking again would not help.
            rules.drop(qube)
            say(.service(exception), about: qube)
        } catch {
            throw error
        }
    }

    private mutating func say(_ error: ClientError, about qube: QubeName? = nil) {
        if interruption.isInterrupted { return }
        guard let message = context.message(error) else { return }
        let text = qube.map { "\($0): \(message)" } ?? message
        if text != trouble { context.console.error(text) }
        trouble = text
    }
}

extension Duration {
    /// As a number of seconds.
    fileprivate var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
