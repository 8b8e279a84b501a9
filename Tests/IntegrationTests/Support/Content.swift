// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// Content that is the same on every run.
struct Content {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }

    /// Bytes that no compressor shrinks.
    static func random(mebibytes: Int, seed: UInt64) -> Data {
        var content = Content(seed: seed)
        var data = Data(capacity: mebibytes << 20)
        for _ in 0..<(mebibytes << 17) {
            unsafe withUnsafeBytes(of: content.next()) { unsafe data.append(contentsOf: $0) }
        }
        return data
    }

    /// Lines that shrink to about a fifth; no two blocks of them are equal.
    static func text(mebibytes: Int, seed: UInt64) -> Data {
        var content = Content(seed: seed)
        var data = Data(capacity: mebibytes << 20)
        while data.count < mebibytes << 20 {
            let number = content.next()
            data.append(
                Data("\(number) the qube wrote line \(number % 977) of file \(number % 31)\n".utf8))
        }
        return data.prefix(mebibytes << 20)
    }
}

/// Files as a test lays them out.
enum Files {
    static func write(_ data: Data, to path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try data.write(to: URL(fileURLWithPath: path))
    }

    /// A clone, as qubesd makes it.
    static func clone(_ path: String, to copy: String) throws {
        try FileManager.default.createDirectory(
            atPath: (copy as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Command.check("cp", "--reflink=always", path, copy)
    }

    /// A copy that shares nothing, as a restored backup.
    static func copy(_ path: String, to copy: String) throws {
        try FileManager.default.createDirectory(
            atPath: (copy as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Command.check("cp", "--reflink=never", path, copy)
    }

    /// Writes over a part of a file, in place.
    static func overwrite(_ path: String, atOffset offset: UInt64, with data: Data) throws {
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: data)
        try handle.close()
    }
}
