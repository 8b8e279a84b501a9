// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Synchronization

@testable import Service

/// The header of a call, as a connection cuts it out, and its judgement.
@Sendable func fuzzHeader(_ untrusted: [UInt8]) {
    guard let header = try? CallHeader(untrusted: untrusted.prefix { $0 != 0 }) else { return }
    let again = try? CallHeader(untrusted: header.encoded().dropLast())
    demand(again == header, "a header means the same when it is sent on")
    var record = AuditRecord(.request)
    record.caller = header.source
    record.service = header.service
    record.argument = header.argument
    demand(isPlainText(record.line), "a line of the log is printable")
    do throws(Refusal) {
        let call = try Call(untrusted: header)
        let isMachine = header.target == .name("dom0") || header.target == .keyword("adminvm")
        demand((call.target == .machine) == isMachine, "nothing else means the machine")
        demand(call.caller.text == header.source, "a caller is who the header says")
        let text = call.argument.text
        demand(text == header.argument, "an argument is what was sent")
        demand(!text.contains("/") && !text.contains("..") && !text.hasPrefix("-"), "\(text)")
        demand(text.utf8.count <= Limits.argumentBytes, "an argument is short")
    } catch {
        refused(error)
    }
}

/// The payload of a call; the first byte says of which.
@Sendable func fuzzPayload(_ untrusted: [UInt8]) {
    guard let kind = untrusted.first else { return }
    let untrustedPayload = Array(untrusted.dropFirst())
    switch kind % 6 {
    case 0: decode(PlainRequest.self, untrustedPayload)
    case 1:
        guard let request = decode(CompressRequest.self, untrustedPayload) else { return }
        let levels = CompressRequest.levels + [CompressRequest.plainLevel]
        demand(request.level.map(levels.contains) ?? true, "a level is a level")
    case 2: decode(DedupeRequest.self, untrustedPayload)
    case 3:
        guard let request = decode(ReportRequest.self, untrustedPayload) else { return }
        demand(request.qubes?.count ?? 0 <= Limits.requestNames, "names are bounded")
    case 4: decode(EstimateRequest.self, untrustedPayload)
    default: decode(VerifyRequest.self, untrustedPayload)
    }
}

@discardableResult
private func decode<Request: StrictRequest & Equatable>(
    _ type: Request.Type, _ untrustedPayload: [UInt8]
) -> Request? {
    do throws(Refusal) {
        let request = try Payload.decode(type, untrusted: untrustedPayload)
        let bytes = (try? JSONEncoder().encode(request)).map { [UInt8]($0) }
        let again = bytes.flatMap { try? Payload.decode(type, untrusted: $0) }
        demand(again == request, "a request means the same when it is sent on")
        return request
    } catch {
        refused(error)
        return nil
    }
}

/// The texts that callers were given so far.
private let messages = Mutex(Set<String>())

/// More would be as many as there are calls: they hold what the callers sent.
private let mostMessages = 64

/// What a refusal says is for any caller, and none of it is the caller's own.
private func refused(_ refusal: Refusal) {
    let message = refusal.exception.message
    demand(isPlainText(message), "a message is printable: \(message)")
    let count = messages.withLock { messages in
        messages.insert(message)
        return messages.count
    }
    demand(count <= mostMessages, "a message holds nothing that was sent: \(message)")
    demand(refusal.exception.kind == .badRequest, "what is not well formed is a bad request")
}
