// SPDX-License-Identifier: GPL-2.0-or-later
public import SystemPackage

/// A call to the file system that failed: which call, on what, and why.
public struct BtrfsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What the kernel was asked for, by the name of its ioctl or system call.
    public let call: String
    /// The file, extent or tree it was asked about.
    public let subject: String
    /// The kernel's answer.
    public let reason: Errno

    /// Makes an error.
    public init(_ call: String, _ subject: String, _ reason: Errno) {
        self.call = call
        self.subject = subject
        self.reason = reason
    }

    /// For dom0's log.
    public var description: String { "\(call) on \(subject): \(reason)" }
}
