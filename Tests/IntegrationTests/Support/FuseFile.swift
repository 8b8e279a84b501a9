// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc
import SystemCalls
import SystemPackage

/// What stands behind a file that a test serves itself. Called from the thread that serves it, one
/// call after the other. An error is what the caller of the kernel gets.
protocol FileContent: Sendable {
    var sizeBytes: UInt64 { get }
    func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno)
    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno)
    func flush() throws(Errno)
    /// Gives a range back: it reads as zeroes from now on.
    func punch(_ range: Range<UInt64>) throws(Errno)
}

/// One regular file that the kernel asks this process for (FUSE), while this lives: a mount whose
/// root is the file. Nothing of it is kept in a cache of the kernel's, so that what is read is what
/// `content` gives.
final class FuseFile {
    let path: String
    private let device: Int32

    /// - Parameter path: an empty file, over which it is mounted.
    init(at path: String, content: any FileContent) throws {
        self.path = path
        device = unsafe open("/dev/fuse", O_RDWR | O_CLOEXEC)
        guard device >= 0 else { throw Errno(rawValue: errno) }
        let options = "fd=\(device),rootmode=100600,user_id=0,group_id=0"
        let status = unsafe mount("qubes-btrfs-test", path, "fuse", 0, options)
        guard status == 0 else {
            let error = Errno(rawValue: errno)
            close(device)
            throw error
        }
        let server = FuseServer(device: device, content: content)
        try WorkThread.start { server.run() }
    }

    deinit { unsafe _ = umount2(path, Int32(MNT_DETACH)) }
}

/// Speaks the kernel's protocol (linux/fuse.h) for one file without a directory.
@safe private final class FuseServer {
    private enum Operation: UInt32 {
        case forget = 2
        case getAttributes = 3
        case setAttributes = 4
        case open = 14
        case read = 15
        case write = 16
        case release = 18
        case synchronize = 20
        case flush = 25
        case start = 26
        case interrupt = 36
        case end = 38
        case forgetMany = 42
        case allocate = 43
    }

    private static let headerBytes = 40
    private static let replyHeaderBytes = 16
    private static let largestBytes = 1 << 20

    private let device: Int32
    private let content: any FileContent
    private let input = UnsafeMutableRawBufferPointer.allocate(
        byteCount: largestBytes + 8192, alignment: 8)
    private let output = UnsafeMutableRawBufferPointer.allocate(
        byteCount: largestBytes + 8192, alignment: 8)

    init(device: Int32, content: any FileContent) {
        self.device = device
        self.content = content
    }

    deinit {
        close(device)
        unsafe input.deallocate()
        unsafe output.deallocate()
    }

    /// Until the file is unmounted.
    func run() {
        while true {
            let count = unsafe Glibc.read(device, input.baseAddress, input.count)
            if count < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT) { continue }
            guard count >= Self.headerBytes else { return }
            guard let number = word(at: 4), let unique = long(at: 8) else { return }
            let operation = Operation(rawValue: number)
            if [.forget, .forgetMany, .interrupt].contains(operation) { continue }
            do throws(Errno) {
                reply(unique, try answer(operation))
            } catch {
                reply(unique, 0, error: error)
            }
            if operation == .end { return }
        }
    }

    private func word(at offset: Int) -> UInt32? {
        unsafe input.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    }

    private func long(at offset: Int) -> UInt64? {
        unsafe input.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    private func put<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        unsafe output.storeBytes(
            of: value, toByteOffset: Self.replyHeaderBytes + offset, as: Value.self)
    }

    private func reply(_ unique: UInt64, _ length: Int, error: Errno? = nil) {
        put(UInt32(Self.replyHeaderBytes + length), at: -16)
        put(-(error?.rawValue ?? 0), at: -12)
        put(unique, at: -8)
        // A request that was given up meanwhile has nobody who waits for its reply.
        _ = unsafe Glibc.write(device, output.baseAddress, Self.replyHeaderBytes + length)
    }

    /// Does what is asked and lays the reply out.
    /// - Returns: the reply's length without its header, in bytes.
    private func answer(_ operation: Operation?) throws(Errno) -> Int {
        let body = Self.headerBytes
        switch operation {
        case .start: return start()
        case .getAttributes, .setAttributes: return attributes()
        case .open:
            put(UInt64(0), at: 0)
            put(UInt64(1), at: 8)  // FOPEN_DIRECT_IO
            return 16
        case .read:
            guard let offset = long(at: body + 8), let count = word(at: body + 16) else { break }
            let size = content.sizeBytes
            let length = Int(min(UInt64(count), size - min(offset, size)))
            let start = Self.replyHeaderBytes
            try unsafe content.read(
                UnsafeMutableRawBufferPointer(rebasing: output[start..<(start + length)]),
                at: offset)
            return length
        case .write:
            guard let offset = long(at: body + 8), let count = word(at: body + 16) else { break }
            let start = body + 40
            try unsafe content.write(
                UnsafeRawBufferPointer(rebasing: input[start..<(start + Int(count))]), at: offset)
            put(UInt64(count), at: 0)
            return 8
        case .synchronize:
            try content.flush()
            return 0
        case .allocate:
            guard let offset = long(at: body + 8), let length = long(at: body + 16),
                let mode = word(at: body + 24), mode & 2 != 0  // FALLOC_FL_PUNCH_HOLE
            else { throw .notSupportedOnSocket }
            try content.punch(offset..<(offset + length))
            return 0
        case .release, .flush, .end: return 0
        case .forget, .forgetMany, .interrupt, nil: break
        }
        throw .noFunction
    }

    private func start() -> Int {
        for offset in 0..<8 { put(UInt64(0), at: offset * 8) }
        put(UInt32(7), at: 0)
        put(UInt32(31), at: 4)
        put(UInt32(Self.largestBytes), at: 8)
        put(UInt32(1 << 0 | 1 << 5 | 1 << 22), at: 12)  // async reads, large writes, max_pages
        put(UInt16(64), at: 16)
        put(UInt16(64), at: 18)
        put(UInt32(Self.largestBytes), at: 20)
        put(UInt32(1), at: 24)
        put(UInt16(Self.largestBytes / 4096), at: 28)
        return 64
    }

    private func attributes() -> Int {
        for offset in 0..<13 { put(UInt64(0), at: offset * 8) }
        put(UInt64(1), at: 16)
        put(content.sizeBytes, at: 24)
        put(content.sizeBytes / 512, at: 32)
        put(UInt32(S_IFREG | 0o600), at: 76)
        put(UInt32(1), at: 80)
        put(UInt32(4096), at: 96)
        return 104
    }
}
