// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc

/// A short wait for what nothing tells of.
public enum Pause {
    /// Sleeps, or less when a signal comes.
    public static func milliseconds(_ count: Int) {
        var time = timespec(tv_sec: count / 1000, tv_nsec: count % 1000 * 1_000_000)
        unsafe nanosleep(&time, nil)
    }
}
