// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import SystemPackage

/// What a job asks while it works: whether it may go on.
public protocol JobControl: Sendable {
    /// Nobody wants the job's result any more but for what is done. What is half done is finished
    /// or taken back, and nothing new is begun.
    var isCancelled: Bool { get }
    /// The time that the job was given is over: no new batch is begun, and what is begun comes to
    /// its end.
    var isTimeOver: Bool { get }
    /// Waits while the job is to hold.
    /// - Throws: a cancellation, once it is cancelled, or its time was over before anything was
    ///   moved.
    func checkpoint() throws(BtrfsError)
    /// Whether trees may grow by so much on the way: what has no room must not be begun.
    func hasRoom(forMetadata bytes: ByteCount) -> Bool
}

extension JobControl {
    /// It takes as long as it needs.
    public var isTimeOver: Bool { false }

    /// There is room for all.
    public func hasRoom(forMetadata bytes: ByteCount) -> Bool { true }
}

/// Lets a job go on to its end.
public struct Unhindered: JobControl {
    /// Makes one.
    public init() {}

    /// Never.
    public var isCancelled: Bool { false }

    /// Returns at once.
    public func checkpoint() throws(BtrfsError) {}
}

extension BtrfsError {
    /// The job was cancelled: no failure of anything.
    public static var cancellation: BtrfsError { BtrfsError("cancel", "the job", .canceled) }

    /// It says that the job was cancelled.
    public var isCancellation: Bool { self.reason == .canceled && self.call == "cancel" }
}
