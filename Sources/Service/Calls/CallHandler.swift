// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol

/// What a call gets.
enum Answer {
    /// One envelope, and the end.
    case whole(Envelope)
    /// Events as they come, then the end; whoever sends them writes the call's end down.
    case stream(JobWatch, OpenCall)
    /// Jobs hold until it is released; whoever does that writes the call's end down.
    case hold(JobHold, OpenCall)
}

/// The service as a function: a header and a payload in, an answer out. Connections only move
/// bytes.
struct CallHandler: Sendable {
    let qubes: QubesState
    let accounts: AccountMaker
    let runner: JobRunner
    let history: HistoryStore
    let growth: GrowthStore
    let audit: AuditLog
    let bounds: Bounds

    /// Answers one call, and writes down what became of it.
    func answer(_ untrustedHeader: CallHeader, untrustedPayload: [UInt8]) -> Answer {
        let call: Call
        do throws(Refusal) {
            call = try Call(untrusted: untrustedHeader)
        } catch {
            return refuse(untrustedHeader, error)
        }
        func whole<Request: StrictRequest, Reply: Readable>(
            _ endpoint: Endpoint<Request, Reply>
        ) -> Answer {
            run(endpoint, call, untrustedHeader, untrustedPayload) {
                (reply, open) throws(Refusal) in
                .whole(try Self.envelope(reply, for: open.reader))
            }
        }
        switch call.service.kind {
        case .report: return whole(report)
        case .check: return whole(check)
        case .newData: return whole(newData)
        case .start(.estimate): return whole(estimate)
        case .start(.verify): return whole(verify)
        case .start(.compress):
            return whole(packing(.compress) { .compress(level: $0, running: $1) })
        case .start(.optimize):
            return whole(packing(.optimize) { .optimize(level: $0, running: $1) })
        case .start(.dedupe): return whole(sharing(.dedupe) { .dedupe(running: $0) })
        case .start(.defragment): return whole(sharing(.defragment) { .defragment(running: $0) })
        case .start(.sparsify): return whole(sharing(.sparsify) { .sparsify(running: $0) })
        // No name of a service means it.
        case .start(.unknown): return refuse(untrustedHeader, .noSuchService)
        case .jobList: return whole(jobList)
        case .control(let word): return whole(change(word))
        case .jobWatch:
            return run(jobWatch, call, untrustedHeader, untrustedPayload) { (watch, open) in
                .stream(watch, open)
            }
        case .jobHold:
            return run(jobHold, call, untrustedHeader, untrustedPayload) { (hold, open) in
                .hold(hold, open)
            }
        }
    }

    /// What all services do alike: the payload is read, the target looked up, and the answer made;
    /// and what became of it is written down.
    private func run<Request: StrictRequest, Reply>(
        _ endpoint: Endpoint<Request, Reply>, _ call: Call, _ untrustedHeader: CallHeader,
        _ untrustedPayload: [UInt8],
        finish: (Reply, OpenCall) throws(Refusal) -> Answer
    ) -> Answer {
        let open: OpenCall
        let request: Request
        do throws(Refusal) {
            request = try Payload.decode(Request.self, untrusted: untrustedPayload)
            open = OpenCall(
                call, try qubes.target(call.target, for: call.caller.text),
                untrusted: untrustedHeader, audit: audit, startsJob: endpoint.startsJob)
        } catch {
            return refuse(untrustedHeader, error)
        }
        do throws(Refusal) {
            let answer = try finish(try endpoint.answer(request, open), open)
            if case .whole = answer { open.end() }
            return answer
        } catch {
            if open.isAccepted {
                open.end(outcome: error.exception.kind.rawValue, detail: error.detail ?? "")
            } else {
                open.refuse(error)
            }
            return .whole(.exception(error.exception(for: untrustedHeader.source)))
        }
    }

    private func refuse(_ untrustedHeader: CallHeader, _ refusal: Refusal) -> Answer {
        audit.refused(untrustedHeader, refusal)
        return .whole(.exception(refusal.exception(for: untrustedHeader.source)))
    }

    /// A reply, as its reader may have it. Nothing else makes one.
    static func envelope(
        _ reply: some Readable, for reader: Reader
    ) throws(Refusal) -> Envelope {
        .reply(try bytes(reply, for: reader))
    }

    /// A reply's bytes, as its reader may have them.
    static func bytes(_ reply: some Readable, for reader: Reader) throws(Refusal) -> [UInt8] {
        // Keys in one order, so that equal replies are equal bytes.
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return [UInt8](try encoder.encode(reader.visible(reply)))
        } catch {
            throw .failed("The reply could not be written.", detail: "\(error)")
        }
    }
}
