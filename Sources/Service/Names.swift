// SPDX-License-Identifier: GPL-2.0-or-later

/// Judges names by Qubes' own rules; a name that passes holds no byte that means anything to a
/// path, a log or a terminal.
enum Names {
    /// The machine's own name.
    static let machine = "dom0"
    /// The longest name of a qube in bytes.
    static let qubeNameBytes = 31
    /// The length of a job's id in characters.
    static let jobCharacters = 20

    /// A letter, then letters, digits, `_`, `.` and `-`; 31 in all at most.
    static func isQube(_ name: String) -> Bool {
        guard let first = name.utf8.first, isLetter(first) else { return false }
        return name.utf8.count <= qubeNameBytes
            && name.utf8.allSatisfy { isLetter($0) || isDigit($0) || isMark($0) }
    }

    /// The name of a volume or a pool, as far as an argument may hold it: it begins with a letter,
    /// a digit or `_`, and has no `..` in it.
    static func isPlain(_ name: String) -> Bool {
        guard let first = name.utf8.first, isLetter(first) || isDigit(first) || first == underscore
        else { return false }
        return name.utf8.allSatisfy { isLetter($0) || isDigit($0) || isMark($0) }
            && !name.contains("..")
    }

    /// 20 digits, hexadecimal and lowercase.
    static func isJob(_ name: String) -> Bool {
        name.utf8.count == jobCharacters
            && name.utf8.allSatisfy {
                isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    /// A job's id that nobody can guess: 80 random bits of the kernel's.
    static func newJob() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<jobCharacters).map { _ in
            String(UInt8.random(in: 0..<16, using: &generator), radix: 16)
        }.joined()
    }

    private static let underscore = UInt8(ascii: "_")

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isMark(_ byte: UInt8) -> Bool {
        byte == underscore || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
    }
}
