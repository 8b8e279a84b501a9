// SPDX-License-Identifier: GPL-2.0-or-later

/// What qrexec writes before the payload of a call to a socket service:
/// `SERVICE+ARGUMENT SOURCE TYPE TARGET`, ended by a NUL.
///
/// dom0's own client writes the same with source `dom0`.
public struct CallHeader: Equatable, Sendable {
    /// How the caller named the target.
    public enum Target: Equatable, Sendable {
        /// A qube by name (or `uuid:...`), `dom0` among them on Qubes 4.3 and later.
        case name(String)
        /// A keyword without its `@`: `adminvm`, `default`, `dispvm`.
        case keyword(String)
    }

    /// The service's name as called: not yet known to be one of ours.
    public let service: String
    /// What stands behind the first `+`; empty when nothing does.
    public let argument: String
    /// The calling qube, as qrexec names it.
    public let source: String
    /// The qube that policy has matched, before it sent the call to dom0.
    public let target: Target

    /// Makes a header to send.
    public init(service: String, argument: String, source: String, target: Target) {
        self.service = service
        self.argument = argument
        self.source = source
        self.target = target
    }

    /// Reads a header, without its NUL. Every field is held to qrexec's own character set
    /// (`A-Z a-z 0-9 _ . + -`, and `:` for `uuid:`), so that nothing of it can harm a log or a
    /// terminal; what the fields mean is not judged here.
    public init(untrusted untrustedBytes: some Sequence<UInt8>) throws(HeaderError) {
        let untrustedFields = Array(untrustedBytes).split(
            separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        guard untrustedFields.count == 4 else { throw .fieldCount(untrustedFields.count) }
        var fields: [String] = []
        for (index, untrustedField) in untrustedFields.enumerated() {
            guard !untrustedField.isEmpty else { throw .emptyField(index) }
            guard untrustedField.allSatisfy(Self.isAllowed) else { throw .forbiddenByte(index) }
            fields.append(String(decoding: untrustedField, as: UTF8.self))
        }
        let call = fields[0].split(
            separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
        service = String(call[0])
        argument = call.count == 2 ? String(call[1]) : ""
        source = fields[1]
        switch fields[2] {
        case "name": target = .name(fields[3])
        case "keyword": target = .keyword(fields[3])
        default: throw .targetType
        }
    }

    /// The bytes to send, the NUL included.
    public func encoded() -> [UInt8] {
        let targetFields =
            switch target {
            case .name(let name): "name \(name)"
            case .keyword(let keyword): "keyword \(keyword)"
            }
        return Array("\(service)+\(argument) \(source) \(targetFields)".utf8) + [0]
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }
}

/// Why a header was refused.
public enum HeaderError: Error, Equatable, Sendable {
    /// Not four fields but this many.
    case fieldCount(Int)
    /// The field of this index is empty.
    case emptyField(Int)
    /// The field of this index holds a byte outside qrexec's character set.
    case forbiddenByte(Int)
    /// The target's type is neither `name` nor `keyword`.
    case targetType
}
