// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

extension Descriptor {
    /// How much of a range of this file is in the page cache: whole pages, dirty ones and those
    /// under writeback among them (`cachestat(2)`; before Linux 6.5 `mincore(2)`).
    ///
    /// Where the kernel does not tell whoever may not write to the file, all counts as cached.
    public borrowing func cachedBytes(
        offset: UInt64, lengthBytes: UInt64
    ) throws(Errno) -> UInt64 {
        guard lengthBytes > 0 else { return 0 }
        let pages = csystemcalls_cached_pages(rawValue, offset, lengthBytes)
        if pages >= 0 { return UInt64(pages) * Self.pageBytes }
        let reason = Errno(rawValue: errno)
        // The kernel is older than the call, or a filter is.
        guard [.noFunction, .notPermitted].contains(reason) else { throw reason }
        return try residentBytes(offset: offset, lengthBytes: lengthBytes)
    }

    /// Lets all pages of a range go, which nobody else may be using: a page that the kernel is just
    /// moving in memory goes a moment later.
    /// - Returns: false when some have not gone within a second.
    public borrowing func letGoOfPages(offset: UInt64, lengthBytes: UInt64) throws(Errno) -> Bool {
        for _ in 0..<100 {
            advise(.doNotNeed, offset: offset, lengthBytes: lengthBytes)
            if try cachedBytes(offset: offset, lengthBytes: lengthBytes) == 0 { return true }
            Pause.milliseconds(10)
        }
        return false
    }

    /// What `cachedBytes` says, through a mapping, which every kernel has.
    borrowing func residentBytes(offset: UInt64, lengthBytes: UInt64) throws(Errno) -> UInt64 {
        var found: UInt64 = 0
        var start = offset / Self.pageBytes * Self.pageBytes
        let end = offset + lengthBytes
        while start < end {
            let length = min(end - start, Self.mappedBytes)
            found += try residentPages(from: start, lengthBytes: Int(length)) * Self.pageBytes
            start += length
        }
        return found
    }

    private borrowing func residentPages(
        from start: UInt64, lengthBytes: Int
    ) throws(Errno) -> UInt64 {
        let number = rawValue
        let mapping = unsafe mmap(nil, lengthBytes, PROT_READ, MAP_SHARED, number, off_t(start))
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            throw Errno(rawValue: errno)
        }
        defer { unsafe munmap(mapping, lengthBytes) }
        let count = (lengthBytes + Int(Self.pageBytes) - 1) / Int(Self.pageBytes)
        var pages = [UInt8](repeating: 0, count: count)
        let status = unsafe pages.withUnsafeMutableBufferPointer {
            unsafe mincore(mapping, lengthBytes, $0.baseAddress)
        }
        if status != 0 { throw Errno(rawValue: errno) }
        // The lowest bit alone has a meaning.
        return UInt64(pages.count { $0 & 1 == 1 })
    }

    private static var mappedBytes: UInt64 { 16 << 20 }
    private static let pageBytes = UInt64(sysconf(Int32(_SC_PAGESIZE)))
}
