// SPDX-License-Identifier: GPL-2.0-or-later

/// The version of the messages, in every JSON message as `version`.
///
/// A version changes when an old peer would misread a message. New optional keys in replies do not
/// change it: readers ignore keys they do not know in replies, and refuse them in requests.
public enum ProtocolVersion: Int, Codable, Sendable, CaseIterable {
    /// The first one.
    case one = 1

    /// What this build writes.
    public static let current = ProtocolVersion.one
}
