// SPDX-License-Identifier: GPL-2.0-or-later

/// A word of a reply out of a list that a later release may add to. One that this release does not
/// know is read and written as it is, so that what stands beside it is not lost, and shown as it
/// is: nothing may be taken for granted of it.
public protocol Word: RawRepresentable<String>, Codable, Hashable, Sendable, CaseIterable {
    /// A word that this release does not know.
    static func unknown(_ word: String) -> Self
}

extension Word {
    /// The word of this text, whatever it is.
    public init(rawValue: String) {
        self = Self.allCases.first { $0.rawValue == rawValue } ?? .unknown(rawValue)
    }

    /// It is none of those that this release knows.
    public var isUnknown: Bool { !Self.allCases.contains(self) }
}
