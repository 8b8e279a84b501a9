// SPDX-License-Identifier: GPL-2.0-or-later
internal import Glibc
public import SystemCalls

/// A call as qrexec makes it for a service that is a socket: it connects before the qube has said
/// anything, sends the header when the qube has, and then what the qube says, as it comes.
public enum QrexecCall {
    private static let pauseMicroseconds: UInt32 = 1000

    /// Sends a call on a connection that was just made; its end is left to the caller.
    ///
    /// What a service refuses before all was sent has its answer all the same, so that a failure
    /// to send is none.
    /// - Parameter bytes: the header up to its NUL, and what the qube says.
    public static func send(_ bytes: [UInt8], on connection: borrowing Descriptor) {
        let end = bytes.firstIndex(of: 0).map { $0 + 1 } ?? bytes.count
        for part in [bytes[..<end], bytes[end...]] {
            usleep(pauseMicroseconds)
            if !part.isEmpty { try? connection.send(Array(part)) }
        }
    }
}
