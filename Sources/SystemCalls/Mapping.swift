// SPDX-License-Identifier: GPL-2.0-or-later
internal import Glibc
public import SystemPackage

/// A part of a file that is read as memory, for as long as this lives. The kernel brings in what is
/// looked at, and drops it where it needs room; where the device does not give it back, the process
/// ends (SIGBUS).
@safe public final class Mapping: Sendable {
    /// What stands in the file, unless somebody changes it.
    /// Unsafe, as every pointer: it is valid from init to deinit, and nothing is written through
    /// it, so that threads may read at a time.
    public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

    /// Takes over what was mapped.
    fileprivate init(_ bytes: UnsafeRawBufferPointer) { unsafe self.bytes = bytes }

    /// What is looked at next will not be what lies behind (`madvise(2)`, MADV_RANDOM): nothing is
    /// read ahead.
    public func expectRandomReads() {
        unsafe madvise(
            UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count, MADV_RANDOM)
    }

    deinit {
        unsafe munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }
}

extension Descriptor {
    /// The first bytes of the file (`mmap(2)`, PROT_READ); at least one, and no more than it has.
    public borrowing func map(lengthBytes: Int) throws(Errno) -> Mapping {
        let start = unsafe mmap(nil, lengthBytes, PROT_READ, MAP_SHARED, rawValue, 0)
        guard unsafe start != MAP_FAILED else { throw Errno(rawValue: errno) }
        return unsafe Mapping(UnsafeRawBufferPointer(start: start, count: lengthBytes))
    }
}
