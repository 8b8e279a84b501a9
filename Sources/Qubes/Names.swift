// SPDX-License-Identifier: GPL-2.0-or-later

/// What may stand in names and paths. Everything here judges bytes: Swift compares strings by what
/// they look like, a file system does not.
enum Names {
    /// The longest name of a qube, in bytes, as qubesd allows it.
    static let qubeNameBytes = 31
    /// The longest name of a pool, a volume, a feature, a tag or a class, in bytes.
    static let nameBytes = 255
    /// The longest volume identifier, in bytes.
    static let identifierBytes = 1024
    /// The longest path of a pool's directory, in bytes (PATH_MAX of Linux, without the NUL).
    static let directoryBytes = 4095

    /// A qube's name: `[A-Za-z][A-Za-z0-9_.-]{0,30}`.
    static func isQubeName(_ untrusted: String) -> Bool {
        let bytes = untrusted.utf8
        guard let first = bytes.first, isLetter(first), bytes.count <= qubeNameBytes else {
            return false
        }
        return bytes.allSatisfy(isNameByte)
    }

    /// A name of letters, digits, `_`, `.` and `-`, at most `limitBytes` long.
    static func isPlain(_ untrusted: String, limitBytes: Int = nameBytes) -> Bool {
        let bytes = untrusted.utf8
        return !bytes.isEmpty && bytes.count <= limitBytes && bytes.allSatisfy(isNameByte)
    }

    /// A name that may hold anything but control characters.
    static func isPrintable(_ untrusted: String, limitBytes: Int = nameBytes) -> Bool {
        let bytes = untrusted.utf8
        return !bytes.isEmpty && bytes.count <= limitBytes && !bytes.contains(where: isControl)
    }

    /// A pool's name: no `:`, which stands between pool and volume where both are named.
    static func isPoolName(_ untrusted: String) -> Bool {
        isPrintable(untrusted) && !untrusted.utf8.contains(UInt8(ascii: ":"))
    }

    /// A UUID in its usual 36 characters.
    static func isUUID(_ untrusted: String) -> Bool {
        let groups = untrusted.utf8.split(
            separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return groups.map(\.count) == [8, 4, 4, 4, 12]
            && groups.allSatisfy { $0.allSatisfy(isHexadecimal) }
    }

    /// A path that stays below the directory it starts from: not absolute, and every component a
    /// name.
    static func isPathBelow(_ untrusted: String) -> Bool {
        isPrintable(untrusted, limitBytes: identifierBytes)
            && components(untrusted.utf8).allSatisfy(isComponent)
    }

    /// An absolute path without `.`, `..` and empty components. `/` itself is one.
    static func isAbsolutePath(_ untrusted: String) -> Bool {
        let bytes = untrusted.utf8
        guard bytes.first == UInt8(ascii: "/"),
            isPrintable(untrusted, limitBytes: directoryBytes)
        else { return false }
        return bytes.count == 1 || components(bytes.dropFirst()).allSatisfy(isComponent)
    }

    private static func components<Bytes: Collection<UInt8>>(
        _ bytes: Bytes
    ) -> [Bytes.SubSequence] {
        bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    }

    private static func isComponent(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.count <= nameBytes
            && !bytes.elementsEqual(".".utf8) && !bytes.elementsEqual("..".utf8)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || [UInt8]("_.-".utf8).contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: false
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): true
        default: isDigit(byte)
        }
    }

    private static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7f }
}

/// `0` to `9`.
func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// A number in plain decimal digits, without sign, space or leading zero.
func decimal(_ untrusted: some Collection<UInt8>) -> UInt64? {
    guard !untrusted.isEmpty, untrusted.allSatisfy(isDigit) else { return nil }
    guard untrusted.count == 1 || untrusted.first != UInt8(ascii: "0") else { return nil }
    return UInt64(String(decoding: untrusted, as: UTF8.self))
}

/// A string as it may stand in a log or on a terminal: in quotes, printable ASCII as it is, all
/// else escaped, cut after `limitBytes` bytes.
func quoted(_ untrusted: String, limitBytes: Int = 64) -> String {
    let bytes = untrusted.utf8
    let shown = bytes.prefix(limitBytes).map { byte -> String in
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\\"): "\\" + String(UnicodeScalar(byte))
        case 0x20...0x7e: String(UnicodeScalar(byte))
        default: "\\x" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
        }
    }.joined()
    return "'" + shown + (bytes.count > limitBytes ? "..." : "") + "'"
}
