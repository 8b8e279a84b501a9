// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// A volume's name: `[a-z][a-z0-9-]*`.
struct VolumeName: Equatable, Sendable {
    /// The name.
    let text: String

    /// nil when it is none.
    init?(_ text: String) {
        guard let first = text.utf8.first, first.isLowerLetter,
            text.utf8.count <= Limits.argumentBytes,
            text.utf8.allSatisfy({ $0.isLowerLetter || $0.isDigit || $0 == UInt8(ascii: "-") })
        else { return nil }
        self.text = text
    }
}

/// The first digits of a job's id, or all of them: `[0-9a-f]{1,20}`.
struct JobPrefix: Equatable, Sendable {
    /// The digits of a whole id.
    static let wholeLength = 20

    /// The digits.
    let digits: String

    /// It is a whole id.
    var isWhole: Bool { digits.utf8.count == Self.wholeLength }

    /// nil when it is none.
    init?(_ text: String) {
        guard (1...Self.wholeLength).contains(text.utf8.count),
            text.utf8.allSatisfy({
                $0.isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            })
        else { return nil }
        digits = text
    }
}

extension UInt8 {
    fileprivate var isLowerLetter: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }
    /// `A` to `Z`, `a` to `z`.
    var isLetter: Bool {
        isLowerLetter || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
    }
    /// `0` to `9`.
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
