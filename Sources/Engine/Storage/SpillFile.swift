// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
public import SystemCalls

/// A file for what does not fit into memory: written at the end, read anywhere, gone with the
/// process.
public protocol SpillFile: AnyObject, Sendable {
    /// Adds bytes at the end.
    func append(_ bytes: UnsafeRawBufferPointer) throws(BtrfsError)
    /// Reads bytes that were added, until the buffer is full.
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(BtrfsError)
    /// What `read` is asked for next will not be what lies behind: nothing is to be read ahead. Or
    /// it will again.
    func expectRandomReads(_ isRandom: Bool)
    /// All that was added so far, at least a byte, as memory.
    func map() throws(BtrfsError) -> Mapping
}

/// Files to spill to.
public protocol SpillSource: Sendable {
    /// An empty file for one user, who gives it back by letting go of it; nil where there is none
    /// left, so that what was to go there stays in memory.
    func take() -> (any SpillFile)?
    /// What of a column is held in memory before it is spilled, in bytes.
    var columnBytes: Int { get }
    /// What the sort of a survey's items holds in memory, in bytes.
    var surveySortBytes: Int { get }
}

extension SpillFile {
    /// Adds records at the end.
    func append<Record: BitwiseCopyable>(records: [Record]) throws(BtrfsError) {
        var failure: BtrfsError?
        unsafe records.withUnsafeBytes { bytes in
            do throws(BtrfsError) {
                unsafe try append(bytes)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Reads records that were added.
    /// - Parameter first: the number of the first of them, where all that was added are such.
    func records<Record: BitwiseCopyable>(
        _ first: Int, count: Int, as type: Record.Type = Record.self
    ) throws(BtrfsError) -> [Record] {
        let offset = UInt64(first * MemoryLayout<Record>.stride)
        var failure: BtrfsError?
        let records = unsafe [Record](unsafeUninitializedCapacity: count) { memory, filled in
            do throws(BtrfsError) {
                unsafe try read(
                    at: offset,
                    into: UnsafeMutableRawBufferPointer(
                        UnsafeMutableBufferPointer(rebasing: memory[..<count])))
                filled = count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return records
    }
}
