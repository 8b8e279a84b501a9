// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// The two streams that a program writes to from its start. They are borrowed: nobody closes them.
public enum StandardStream: Int32, Sendable, CaseIterable {
    /// Standard output.
    case output = 1
    /// Standard error.
    case error = 2

    /// It is a terminal (`isatty(3)`).
    public var isTerminal: Bool { isatty(rawValue) == 1 }

    /// Standard input is a terminal (`isatty(3)`).
    public static var isInputTerminal: Bool { isatty(0) == 1 }

    /// How many columns its terminal has (`ioctl_tty(2)`, TIOCGWINSZ); nil when it is none, or when
    /// the terminal does not know.
    public var columns: Int? {
        var size = winsize()
        guard unsafe ioctl(rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return Int(size.ws_col)
    }

    /// Writes all of it (`write(2)`).
    public func write(_ bytes: [UInt8]) throws(Errno) {
        var done = 0
        while done < bytes.count {
            done += try retrying {
                unsafe bytes.withUnsafeBytes {
                    unsafe Glibc.write(
                        rawValue, $0.baseAddress.map { unsafe $0 + done }, $0.count - done)
                }
            }
        }
    }
}
