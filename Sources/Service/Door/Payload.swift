// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol

/// Reads payloads strictly. What the caller gets to read names the problem and what is allowed,
/// never the caller's own bytes.
enum Payload {
    /// The deepest nesting that a payload may have: requests are flat. It keeps the decoder's
    /// recursion off the small stack of our threads.
    static let deepestNesting = 4

    /// A request; an empty payload stands for the defaults.
    static func decode<Request: StrictRequest>(
        _ type: Request.Type, untrusted untrustedBytes: [UInt8]
    ) throws(Refusal) -> Request {
        if untrustedBytes.isEmpty { return Request() }
        guard untrustedBytes.count <= Limits.payloadBytes else { throw tooLong }
        // A NUL would have the decoder take the text for UTF-16.
        guard !untrustedBytes.contains(0) else {
            throw Refusal(.badRequest, "The payload holds a NUL; send UTF-8 text without one.")
        }
        guard String(validating: untrustedBytes, as: UTF8.self) != nil else {
            throw Refusal(.badRequest, "The payload is not UTF-8 text.")
        }
        guard nesting(untrustedBytes) <= deepestNesting else { throw nested }
        let keys = Request.CodingKeys.allCases.map(\.stringValue)
        let untrustedValues = try object(untrustedBytes)
        if let key = keys.first(where: { untrustedValues[$0] == .null }) {
            throw Refusal(
                .badRequest, "The payload's \(key) is null; give it a value, or leave it out.")
        }
        let request: Request
        do {
            request = try JSONDecoder().decode(type, from: Data(untrustedBytes))
        } catch let error as RequestError {
            throw refusal(for: error)
        } catch let error as DecodingError {
            // The decoder does not say at which key stands a number that it cannot hold.
            let odd = keys.first { untrustedValues[$0] == .other }
            throw refusal(for: error, keys: keys, odd: odd)
        } catch {
            throw notJSON
        }
        // No key and no value of a request has a colon in it: there is one to each key.
        guard untrustedBytes.count(where: { $0 == UInt8(ascii: ":") }) == untrustedValues.count
        else { throw Refusal(.badRequest, "The payload has a key twice; give it once.") }
        return request
    }

    /// What kind of value stands at a key.
    private enum Kind: Decodable {
        case null
        /// A whole number, true, false or a text.
        case plain
        /// Anything else, as a fraction, or a number that is too large.
        case other

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if value.decodeNil() {
                self = .null
            } else if (try? value.decode(Int.self)) != nil || (try? value.decode(Bool.self)) != nil
                || (try? value.decode(String.self)) != nil
            {
                self = .plain
            } else {
                self = .other
            }
        }
    }

    private static func object(
        _ untrustedBytes: [UInt8]
    ) throws(Refusal) -> [String: Kind] {
        do {
            return try JSONDecoder().decode([String: Kind].self, from: Data(untrustedBytes))
        } catch {
            throw notJSON
        }
    }

    /// The payload is longer than the wire allows.
    static let tooLong = Refusal(
        .badRequest, "The payload is longer than \(Limits.payloadBytes) bytes.")

    private static let notJSON = Refusal(.badRequest, "The payload is not a JSON object.")

    private static let nested = Refusal(
        .badRequest,
        "The payload is nested too deeply; a request is one JSON object with nothing nested in it.")

    /// An upper bound of the nesting: brackets within strings count as well.
    private static func nesting(_ untrustedBytes: [UInt8]) -> Int {
        untrustedBytes.count { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "{") }
    }

    private static func refusal(for error: RequestError) -> Refusal {
        switch error {
        case .unknownKey(let known):
            let keys = known.joined(separator: ", ")
            return Refusal(
                .badRequest,
                "The payload has a key that this service does not know; it knows \(keys).")
        case .outOfRange(let key, let allowed):
            return Refusal(
                .badRequest, "The payload's \(key) is out of range; allowed is \(allowed).")
        }
    }

    private static func refusal(
        for error: DecodingError, keys: [String], odd: String?
    ) -> Refusal {
        let (path, missing): ([any CodingKey], String?) =
            switch error {
            case .keyNotFound(let key, let context): (context.codingPath, key.stringValue)
            case .typeMismatch(_, let context), .valueNotFound(_, let context),
                .dataCorrupted(let context):
                (context.codingPath, nil)
            @unknown default: ([], nil)
            }
        if let missing, keys.contains(missing) {
            return Refusal(.badRequest, "The payload has no \(missing).")
        }
        guard let key = path.last?.stringValue ?? odd, keys.contains(key) else { return notJSON }
        let allowed = key == "version" ? "; this daemon speaks version 1" : ""
        return Refusal(
            .badRequest, "The payload's \(key) has no value of the right kind\(allowed).")
    }
}
