// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// The first digits of a job's id, or all of them: `[0-9a-f]{1,20}`.
struct JobPrefix: Equatable, Sendable {
    /// The digits of a whole id.
    static let wholeLength = JobID.characters

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

/// A level of zstd that can be asked for.
struct CompressionLevel: Equatable, Sendable {
    /// One of `CompressRequest.levels`.
    let number: Int

    /// nil when it is none.
    init?(_ text: String) {
        guard let number = Int(text), CompressRequest.levels.contains(number) else { return nil }
        self.number = number
    }
}

extension UInt8 {
    /// `A` to `Z`, `a` to `z`.
    var isLetter: Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self)
    }
    /// `0` to `9`.
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
