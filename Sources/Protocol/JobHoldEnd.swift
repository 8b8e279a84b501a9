// SPDX-License-Identifier: GPL-2.0-or-later

/// The last word of `btrfs.job.Hold` where the service ends it. Its caller ends it by going away.
public struct JobHoldEnd: Codable, Equatable, Sendable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// How long it lasted, in seconds.
    public var heldSeconds: Double

    /// Makes the reply.
    public init(heldSeconds: Double) {
        version = .current
        self.heldSeconds = heldSeconds
    }
}
