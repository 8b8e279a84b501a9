// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls
internal import SystemPackage

/// A file about one file system, named by what it keeps and the file system's UUID. It is opened
/// before the worker has forbidden itself to write, and read and written in place from then on.
struct SiteFile: Sendable {
    let name: String
    private let shared: SharedDescriptor

    init(
        _ kind: String, in directory: SharedDescriptor, for fileSystem: FileSystem
    ) throws(Errno) {
        name = Self.name(kind, fileSystem)
        shared = SharedDescriptor(
            try directory.descriptor.open(
                beneath: FilePath(name), [.readWrite, .create, .noFollow]))
        // So that it shows when its file system was worked on last, see `CacheUpkeep`.
        try? shared.descriptor.touch()
    }

    static func name(_ kind: String, _ fileSystem: FileSystem) -> String {
        let digits = Array("0123456789abcdef")
        return "\(kind)-"
            + String(
                fileSystem.identity.bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// All of it; nil when it cannot be read, or is longer than the limit.
    func read(limitBytes: Int) -> [UInt8]? {
        guard let size = try? shared.descriptor.status().sizeBytes, size <= UInt64(limitBytes)
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        let count = try? unsafe bytes.withUnsafeMutableBytes { (buffer) throws(Errno) in
            unsafe try shared.descriptor.read(into: buffer, atOffset: 0)
        }
        return count == bytes.count ? bytes : nil
    }

    /// How long it is; 0 where nobody can say.
    var lengthBytes: UInt64 { (try? shared.descriptor.status().sizeBytes) ?? 0 }

    /// What the file system that it is on has room for; 0 where nobody can say.
    var roomBytes: UInt64 { shared.descriptor.roomBytes() ?? 0 }

    /// What stands there; less where it ends, or cannot be read.
    func read(at offset: UInt64, count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { memory, filled in
            filled =
                (try? unsafe shared.descriptor.read(
                    into: UnsafeMutableRawBufferPointer(memory), atOffset: offset)) ?? 0
        }
    }

    /// Writes there.
    func write(_ bytes: [UInt8], at offset: UInt64) throws(Errno) {
        try shared.descriptor.write(bytes, atOffset: offset)
    }

    /// Writes from the start. What was longer keeps its end.
    func overwrite(_ parts: [[UInt8]]) throws(Errno) {
        var offset: UInt64 = 0
        for part in parts {
            try shared.descriptor.write(part, atOffset: offset)
            offset += UInt64(part.count)
        }
    }

    func truncate(toBytes length: UInt64) throws(Errno) {
        try shared.descriptor.truncate(toBytes: length)
    }

    /// Waits until all of it is on the device.
    func synchronize() throws(Errno) { try shared.descriptor.synchronizeData() }
}
