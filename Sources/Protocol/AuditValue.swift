// SPDX-License-Identifier: GPL-2.0-or-later

/// How a value stands in the log and in the journal: it cannot end its pair, its line or its field.
/// Plain where all of it is harmless, else within quotes with `\n`, `\"`, `\\` and `\xNN`; `-` is
/// nothing.
public enum AuditValue {
    /// The longest value that is written, in bytes; the rest is cut.
    public static let limitBytes = 512

    /// A value is not written as the service writes it.
    public struct Unreadable: Error, Equatable {
        /// Makes one.
        public init() {}
    }

    /// The value as it is written: printable ASCII.
    public static func escaped(_ value: String) -> String {
        if value.isEmpty { return "-" }
        let bytes = value.utf8.prefix(limitBytes)
        if value != "-" && bytes.allSatisfy(isHarmless) {
            return String(decoding: bytes, as: UTF8.self)
        }
        let inner = bytes.map { byte -> String in
            switch byte {
            case UInt8(ascii: "\n"): "\\n"
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): "\\" + String(UnicodeScalar(byte))
            case 0x20...0x7e: String(UnicodeScalar(byte))
            default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return "\"\(inner.joined())\""
    }

    /// The value that was written so. Bytes that are no UTF-8 come out as replacement characters.
    public static func read(untrusted text: String) throws(Unreadable) -> String {
        if text == "-" { return "" }
        let bytes = Array(text.utf8)
        let quote = UInt8(ascii: "\"")
        guard bytes.first == quote else {
            guard bytes.allSatisfy(isHarmless) else { throw Unreadable() }
            return text
        }
        guard bytes.count >= 2, bytes.last == quote else { throw Unreadable() }
        var inner = bytes[1..<(bytes.count - 1)]
        var plain: [UInt8] = []
        while let byte = inner.popFirst() {
            guard (0x20...0x7e).contains(byte), byte != quote else { throw Unreadable() }
            plain.append(byte == UInt8(ascii: "\\") ? try escape(&inner) : byte)
        }
        return String(decoding: plain, as: UTF8.self)
    }

    private static func escape(_ rest: inout ArraySlice<UInt8>) throws(Unreadable) -> UInt8 {
        switch rest.popFirst() {
        case UInt8(ascii: "n"): return UInt8(ascii: "\n")
        case UInt8(ascii: "\""): return UInt8(ascii: "\"")
        case UInt8(ascii: "\\"): return UInt8(ascii: "\\")
        case UInt8(ascii: "x"):
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            rest = rest.dropFirst(2)
            guard digits.utf8.count == 2, !digits.hasPrefix("+"), !digits.hasPrefix("-"),
                let byte = UInt8(digits, radix: 16)
            else { throw Unreadable() }
            return byte
        default: throw Unreadable()
        }
    }

    private static func isHarmless(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: ":"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
