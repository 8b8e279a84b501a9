// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// A file for what does not fit into memory: written at the end, read anywhere, gone with the
/// process.
public protocol SpillFile: Sendable {
    /// Adds bytes at the end.
    func append(_ bytes: UnsafeRawBufferPointer) throws(BtrfsError)
    /// Reads bytes that were added, until the buffer is full.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(BtrfsError)
}
