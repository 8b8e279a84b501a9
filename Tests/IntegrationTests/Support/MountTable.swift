// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import SystemPackage
import Testing

/// What the kernel's table of mounts has of one file system.
enum MountTable {
    /// Every line of a mount at or below a path, as it is.
    static func lines(below path: String) throws -> [String] {
        // To its end: the kernel gives a piece at a time, and Foundation takes the first for all.
        let file = try Descriptor.open("/proc/self/mountinfo", .readOnly)
        let bytes = try #require(try file.readToEnd(limitBytes: 4 << 20))
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
            .filter { Mount(line: $0)?.point.hasPrefix(path) == true }
    }

    /// The same without the option of compression.
    static func withoutCompression(_ lines: [String]) -> [String] {
        lines.map { $0.replacing(#/,compress(-force)?=[^,]*/#, with: "") }
    }

    /// The options of compression of these lines, each once.
    static func compression(_ lines: [String]) -> Set<String> {
        Set(
            lines.flatMap {
                $0.matches(of: #/compress(?:-force)?=[^, ]*/#).map { String($0.output) }
            })
    }
}
