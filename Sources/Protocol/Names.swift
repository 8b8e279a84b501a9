// SPDX-License-Identifier: GPL-2.0-or-later

/// The name of a qube, `dom0` among them, as Qubes allows it: a letter, then letters, digits, `_`,
/// `.` and `-`. Like every name here it holds no byte that means anything to a path, a log or a
/// terminal.
public struct QubeName: Hashable, Sendable, CustomStringConvertible {
    /// The longest name in bytes.
    public static let maximumBytes = 31
    /// The name of the machine itself.
    public static let machine = "dom0"

    /// The name.
    public let text: String

    /// nil when it is none.
    public init?(_ untrusted: String) {
        guard let first = untrusted.utf8.first, first.isASCIILetter,
            untrusted.utf8.count <= Self.maximumBytes,
            untrusted.utf8.allSatisfy(\.isOfAName)
        else { return nil }
        text = untrusted
    }

    /// The name.
    public var description: String { text }
}

/// The name of a volume, or of a pool, as far as an argument may hold it: it begins with a letter,
/// a digit or `_`, and has no `..` in it.
public struct PlainName: Hashable, Sendable, CustomStringConvertible {
    /// The name.
    public let text: String

    /// nil when it is none.
    public init?(_ untrusted: String) {
        guard let first = untrusted.utf8.first,
            first.isASCIILetter || first.isASCIIDigit || first == UInt8(ascii: "_"),
            untrusted.utf8.allSatisfy(\.isOfAName), !untrusted.contains("..")
        else { return nil }
        text = untrusted
    }

    /// The name.
    public var description: String { text }
}

/// A job's id: 20 hexadecimal digits, lowercase, that nobody can guess.
public struct JobID: Hashable, Sendable, CustomStringConvertible {
    /// The length in characters.
    public static let characters = 20

    /// The digits.
    public let text: String

    /// nil when it is none.
    public init?(_ untrusted: String) {
        guard untrusted.utf8.count == Self.characters,
            untrusted.utf8.allSatisfy({
                $0.isASCIIDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            })
        else { return nil }
        text = untrusted
    }

    private init(digits: String) { text = digits }

    /// A new one: 80 random bits of the kernel's.
    public static func random() -> JobID {
        var generator = SystemRandomNumberGenerator()
        let digits = (0..<characters).map { _ in
            String(UInt8.random(in: 0..<16, using: &generator), radix: 16)
        }
        return JobID(digits: digits.joined())
    }

    /// The digits.
    public var description: String { text }
}

/// A qube's UUID, lowercase as qubesd writes it.
public struct QubeID: Hashable, Sendable, CustomStringConvertible {
    /// The digits with their hyphens.
    public let text: String

    /// nil when it is none.
    public init?(_ untrusted: String) {
        let groups = untrusted.split(separator: "-", omittingEmptySubsequences: false)
        guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12],
            groups.joined().utf8.allSatisfy({
                $0.isASCIIDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            })
        else { return nil }
        text = untrusted
    }

    /// The digits with their hyphens.
    public var description: String { text }
}

extension UInt8 {
    /// `A` to `Z`, `a` to `z`.
    var isASCIILetter: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
    }

    /// `0` to `9`.
    var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    fileprivate var isOfAName: Bool {
        isASCIILetter || isASCIIDigit || self == UInt8(ascii: "_") || self == UInt8(ascii: ".")
            || self == UInt8(ascii: "-")
    }
}
