// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

extension Descriptor {
    /// Reads at most `maximumBytes` (`read(2)`); empty at the end.
    public borrowing func read(maximumBytes: Int) throws(Errno) -> [UInt8] {
        let number = rawValue
        var failure: Errno?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: maximumBytes) { buffer, count in
            do throws(Errno) {
                count = try retrying {
                    unsafe Glibc.read(number, buffer.baseAddress, maximumBytes)
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Reads to the end; nil when there are more than `limitBytes`.
    public borrowing func readToEnd(limitBytes: Int) throws(Errno) -> [UInt8]? {
        var all: [UInt8] = []
        while all.count <= limitBytes {
            let piece = try read(maximumBytes: min(64 * 1024, limitBytes + 1 - all.count))
            if piece.isEmpty { return all }
            all += piece
        }
        return nil
    }

    /// Reads into a buffer at an offset (`pread(2)`) until it is full or the file ends.
    /// - Returns: the bytes read.
    public borrowing func read(
        into buffer: UnsafeMutableRawBufferPointer, atOffset offset: UInt64
    ) throws(Errno) -> Int {
        let number = rawValue
        var done = 0
        while done < buffer.count {
            let count = try retrying {
                unsafe pread(
                    number, buffer.baseAddress.map { unsafe $0 + done }, buffer.count - done,
                    Int(offset) + done)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Where the next content lies, from an offset on (`lseek(2)`, SEEK_DATA): what lies before it
    /// is a hole. nil when there is none up to the end.
    public borrowing func nextData(from offset: UInt64) throws(Errno) -> UInt64? {
        let found = lseek(rawValue, off_t(offset), csystemcalls_SEEK_DATA)
        if found >= 0 { return UInt64(found) }
        let reason = Errno(rawValue: errno)
        if reason == .noSuchAddressOrDevice { return nil }
        throw reason
    }

    /// Writes all of it (`write(2)`).
    public borrowing func write(_ bytes: [UInt8]) throws(Errno) {
        let number = rawValue
        var done = 0
        while done < bytes.count {
            done += try retrying {
                unsafe bytes.withUnsafeBytes {
                    unsafe Glibc.write(
                        number, $0.baseAddress.map { unsafe $0 + done }, $0.count - done)
                }
            }
        }
    }

    /// Writes all of it at an offset (`pwrite(2)`).
    public borrowing func write(_ bytes: [UInt8], atOffset offset: UInt64) throws(Errno) {
        let number = rawValue
        var done = 0
        while done < bytes.count {
            done += try retrying {
                unsafe bytes.withUnsafeBytes {
                    unsafe pwrite(
                        number, $0.baseAddress.map { unsafe $0 + done }, $0.count - done,
                        Int(offset) + done)
                }
            }
        }
    }

    /// Writes all of a buffer at an offset (`pwrite(2)`).
    public borrowing func write(
        _ buffer: UnsafeRawBufferPointer, atOffset offset: UInt64
    ) throws(Errno) {
        let number = rawValue
        var done = 0
        while done < buffer.count {
            done += try retrying {
                unsafe pwrite(
                    number, buffer.baseAddress.map { unsafe $0 + done }, buffer.count - done,
                    Int(offset) + done)
            }
        }
    }

    /// Sets the length (`ftruncate(2)`).
    public borrowing func truncate(toBytes length: UInt64) throws(Errno) {
        try checked(ftruncate(rawValue, Int(length)))
    }

    /// Waits until the content is on the device (`fdatasync(2)`).
    public borrowing func synchronizeData() throws(Errno) { try checked(fdatasync(rawValue)) }

    /// Waits until content and metadata are on the device (`fsync(2)`).
    public borrowing func synchronize() throws(Errno) { try checked(fsync(rawValue)) }

    /// What the page cache should do with a range (`posix_fadvise(2)`). Advice only: a failure
    /// changes nothing.
    ///
    /// One call reads no more ahead than the device's read-ahead (force_page_cache_ra in
    /// mm/readahead.c; 4 MiB on Btrfs), whatever it is asked for, so that a range takes several.
    public borrowing func advise(_ advice: CacheAdvice, offset: UInt64, lengthBytes: UInt64) {
        guard advice == .willNeed else {
            _ = posix_fadvise(rawValue, Int(offset), Int(lengthBytes), POSIX_FADV_DONTNEED)
            return
        }
        // To multiples of the step: an extent that is packed would be read in both parts.
        let step: UInt64 = 1 << 20
        var start = offset
        let end = offset + lengthBytes
        while start < end {
            let length = min(step - start % step, end - start)
            _ = posix_fadvise(rawValue, Int(start), Int(length), POSIX_FADV_WILLNEED)
            start += length
        }
    }

    /// Nothing is read ahead through this descriptor that was not asked for (`posix_fadvise(2)`).
    public borrowing func adviseRandomReads(_ isRandom: Bool = true) {
        _ = posix_fadvise(rawValue, 0, 0, isRandom ? POSIX_FADV_RANDOM : POSIX_FADV_NORMAL)
    }

    /// What the file system has room for, for us, in bytes (`fstatvfs(3)`); nil where it does not
    /// say.
    public borrowing func roomBytes() -> UInt64? {
        var status = statvfs()
        guard unsafe fstatvfs(rawValue, &status) == 0 else { return nil }
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }

    /// `fstat(2)`.
    public borrowing func status() throws(Errno) -> FileStatus {
        var raw = csystemcalls_status()
        try checked(unsafe csystemcalls_fstat(rawValue, &raw))
        return FileStatus(raw)
    }

    /// `fstatat(2)` of a name in this directory; a link is not followed.
    public borrowing func status(ofEntry name: String) throws(Errno) -> FileStatus {
        var raw = csystemcalls_status()
        try checked(unsafe csystemcalls_fstatat(rawValue, name, &raw))
        return FileStatus(raw)
    }

    /// Sets the file's permissions (`fchmod(2)`), whatever the umask says.
    public borrowing func setMode(_ mode: UInt32) throws(Errno) {
        try checked(fchmod(rawValue, mode))
    }

    /// `stat(2)` of a path; links are followed.
    public static func status(of path: FilePath) throws(Errno) -> FileStatus {
        var raw = csystemcalls_status()
        try checked(
            unsafe path.withPlatformString { unsafe csystemcalls_stat($0, &raw) })
        return FileStatus(raw)
    }

    /// Makes a directory in this one (`mkdirat(2)`).
    public borrowing func makeDirectory(_ name: String, mode: UInt32) throws(Errno) {
        unsafe try checked(mkdirat(rawValue, name, mode))
    }

    /// Gives an entry of this directory another name, over whatever has it (`renameat(2)`).
    public borrowing func rename(entry name: String, to newName: String) throws(Errno) {
        unsafe try checked(renameat(rawValue, name, rawValue, newName))
    }

    /// Removes an entry of this directory that is no directory (`unlinkat(2)`).
    public borrowing func remove(entry name: String) throws(Errno) {
        unsafe try checked(unlinkat(rawValue, name, 0))
    }

    /// Removes a directory of this one, which is empty (`unlinkat(2)`, AT_REMOVEDIR).
    public borrowing func remove(directory name: String) throws(Errno) {
        unsafe try checked(unlinkat(rawValue, name, AT_REMOVEDIR))
    }

    /// Puts these bytes in the place of an entry of this directory, whatever it was: once this
    /// returns, a power cut leaves them there, and before that the old ones.
    public borrowing func replace(
        entry name: String, with bytes: [UInt8], mode: UInt32 = 0o600
    ) throws(Errno) {
        let unfinished = name + ".new"
        let file = try open(
            beneath: FilePath(unfinished), [.writeOnly, .create, .truncate], mode: mode)
        try file.write(bytes)
        try file.synchronize()
        try rename(entry: unfinished, to: name)
        try synchronize()
    }

    /// Locks this open file or directory for ourselves, as long as the descriptor is open
    /// (`flock(2)`). Waits for nobody.
    public borrowing func lock() throws(Errno) { try checked(flock(rawValue, LOCK_EX | LOCK_NB)) }

    /// Unlocks it (`flock(2)`), also for processes that have it from this one: one that is just
    /// being started has, until it becomes another program.
    public borrowing func unlock() throws(Errno) { try checked(flock(rawValue, LOCK_UN)) }

    /// Says that the file was changed now (`futimens(2)`).
    public borrowing func touch() throws(Errno) { try checked(futimens(rawValue, nil)) }

    /// `isatty(3)`.
    public borrowing func isTerminal() -> Bool { isatty(rawValue) == 1 }
}

/// What the page cache is told.
public enum CacheAdvice: Sendable {
    /// Read it now.
    case willNeed
    /// Let it go.
    case doNotNeed
}

/// What `fstat(2)` says.
public struct FileStatus: Equatable, Sendable {
    /// A file, whatever its names: device and inode number.
    public struct Identity: Hashable, Sendable {
        /// The device; on Btrfs each subvolume has its own.
        public let device: UInt64
        /// The inode number, unique in its device.
        public let inode: UInt64
    }

    /// Seconds and nanoseconds since 1970.
    public struct Time: Equatable, Sendable {
        /// Seconds since 1970.
        public let seconds: Int64
        /// 0 to 999,999,999.
        public let nanoseconds: Int64
    }

    /// Which file it is.
    public let identity: Identity
    /// How many names it has.
    public let links: UInt64
    /// The apparent size in bytes.
    public let sizeBytes: UInt64
    /// Type and permission bits.
    public let mode: UInt32
    /// Allocated, in units of 512 bytes. On Btrfs neither compression nor sharing shows in it.
    public let blocks512: UInt64
    /// When the content last changed.
    public let modified: Time
    /// When the inode last changed.
    public let changed: Time

    /// A regular file.
    public var isRegularFile: Bool { mode & S_IFMT == S_IFREG }
    /// A symbolic link.
    public var isLink: Bool { mode & S_IFMT == S_IFLNK }
    /// A directory.
    public var isDirectory: Bool { mode & S_IFMT == S_IFDIR }

    init(_ raw: csystemcalls_status) {
        identity = Identity(device: raw.device, inode: raw.inode)
        links = raw.links
        sizeBytes = raw.size
        mode = UInt32(truncatingIfNeeded: raw.mode)
        blocks512 = raw.blocks512
        modified = Time(seconds: raw.mtime_seconds, nanoseconds: raw.mtime_nanoseconds)
        changed = Time(seconds: raw.ctime_seconds, nanoseconds: raw.ctime_nanoseconds)
    }
}
