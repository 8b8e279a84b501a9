// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// What compsize(8) says of a path.
struct Compsize {
    struct Row: Equatable {
        var disk: UInt64 = 0
        var content: UInt64 = 0
        var data: UInt64 = 0
    }

    /// By the name in the first column: `TOTAL`, `none`, `zlib`, `lzo`, `zstd`, `prealloc`.
    private let rows: [String: Row]

    init(_ path: String) throws {
        let ending = try Command.run(["compsize", "-b", path])
        // Of a file without any content it says so, with a status of its own.
        let isEmpty = ending.errors.contains("empty") || ending.errors.contains("No files")
        try #require(ending.status == 0 || isEmpty, "\(ending.errors)")
        var rows: [String: Row] = [:]
        for line in ending.output.split(separator: "\n") {
            let words = line.split(separator: " ")
            // Where nothing is on disk, there is no per cent.
            guard words.count == 5, words[1].hasSuffix("%") || words[1] == "-" else { continue }
            rows[String(words[0])] = Row(
                disk: try #require(UInt64(words[2])), content: try #require(UInt64(words[3])),
                data: try #require(UInt64(words[4])))
        }
        self.rows = rows
    }

    subscript(_ name: String) -> Row { rows[name] ?? Row() }
}
