// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc

/// A file that is open, with the calls that qubesd and qubes make. A call that the kernel refuses
/// is a finding: a job must never be in their way.
struct TortureFile: ~Copyable {
    struct Refused: Error, CustomStringConvertible {
        let call: String
        let path: String
        let number: Int32
        var description: String { "\(call) was refused for \(path): error \(number)" }
    }

    /// What fallocate(1) is asked for.
    enum Room {
        case reserve, reserveBehindEnd, punch, zero

        var words: [String] {
            switch self {
            case .reserve: []
            case .reserveBehindEnd: ["--keep-size"]
            case .punch: ["--punch-hole"]
            case .zero: ["--zero-range", "--keep-size"]
            }
        }
    }

    /// How bytes get to a file.
    enum Way: CaseIterable { case buffered, direct, mapped }

    /// What direct writes want of memory, places and lengths.
    static let alignmentBytes = 4096

    let path: String
    let descriptor: Int32

    init(_ path: String, _ flags: Int32 = O_RDWR) throws {
        let opened = unsafe open(path, flags | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw Refused(call: "open", path: path, number: errno) }
        self.path = path
        descriptor = opened
    }

    deinit { close(descriptor) }

    private func demand(_ isDone: Bool, _ call: String) throws {
        guard isDone else { throw Refused(call: call, path: path, number: errno) }
    }

    func write(_ data: Data, at offset: Int) throws {
        let count = unsafe data.withUnsafeBytes {
            unsafe pwrite(descriptor, $0.baseAddress, $0.count, offset)
        }
        try demand(count == data.count, "pwrite")
    }

    /// Past the page cache, as a loop device with direct I/O.
    func writeDirectly(_ data: Data, at offset: Int) throws {
        var memory: UnsafeMutableRawPointer?
        let failed = unsafe posix_memalign(&memory, Self.alignmentBytes, data.count)
        guard failed == 0, let memory = unsafe memory else {
            throw Refused(call: "posix_memalign", path: path, number: failed)
        }
        defer { unsafe free(memory) }
        unsafe data.copyBytes(to: memory.assumingMemoryBound(to: UInt8.self), count: data.count)
        try demand(unsafe pwrite(descriptor, memory, data.count, offset) == data.count, "pwrite")
    }

    /// Through memory that is mapped.
    func writeMapped(_ data: Data, at offset: Int) throws {
        let skipped = offset % Self.alignmentBytes
        let count = skipped + data.count
        let map = unsafe mmap(
            nil, count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, offset - skipped)
        guard let map = unsafe map, unsafe map != MAP_FAILED else {
            throw Refused(call: "mmap", path: path, number: errno)
        }
        unsafe data.copyBytes(
            to: (map + skipped).assumingMemoryBound(to: UInt8.self), count: data.count)
        try demand(unsafe munmap(map, count) == 0, "munmap")
    }

    func truncate(_ bytes: Int) throws { try demand(ftruncate(descriptor, bytes) == 0, "truncate") }

    func allocate(_ room: Room, _ range: Range<Int>) throws {
        let words =
            ["fallocate"] + room.words + [
                "--offset", "\(range.lowerBound)", "--length", "\(range.count)", path,
            ]
        let ending = try Command.run(words)
        if ending.status != 0 {
            throw Command.Failed(command: words.joined(separator: " "), ending: ending)
        }
    }

    func synchronize() throws { try demand(fsync(descriptor) == 0, "fsync") }

    /// FICLONE.
    func clone(_ source: borrowing TortureFile) throws {
        try demand(ioctl(descriptor, 0x4004_9409, source.descriptor) == 0, "FICLONE")
    }

    /// FICLONERANGE.
    func clone(_ range: Range<Int>, of source: borrowing TortureFile, to offset: Int) throws {
        var words = [
            UInt64(source.descriptor), UInt64(range.lowerBound), UInt64(range.count),
            UInt64(offset),
        ]
        try demand(unsafe ioctl(descriptor, 0x4020_940d, &words) == 0, "FICLONERANGE")
    }

    /// What `chattr +C` does to a file that is empty.
    func setNoCow() throws {
        var flags = 0x0080_0000
        try demand(unsafe ioctl(descriptor, 0x4008_6602, &flags) == 0, "SETFLAGS")
    }

    func setCompression(_ kind: String) throws {
        try Command.check("btrfs", "property", "set", path, "compression", kind)
    }
}

/// What must not change about a file unless its owner does it.
struct TortureStamp: Equatable {
    let inode: UInt64
    let bytes: Int
    let links: UInt64
    let times: [Int]

    init(_ path: String) throws {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            throw TortureFile.Refused(call: "lstat", path: path, number: errno)
        }
        inode = UInt64(status.st_ino)
        bytes = Int(status.st_size)
        links = UInt64(status.st_nlink)
        times = [
            status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
            status.st_ctim.tv_nsec,
        ]
    }
}
