// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls
internal import SystemPackage

/// Who has made a connection, before it has said who calls: each qube's calls come from children of
/// its own qrexec daemon. It decides who is pushed out where there are too many, and nothing else.
enum Origin {
    /// The number of the parent of the process at the other end; of that process itself, or 0,
    /// where that cannot be told.
    static func of(_ socket: borrowing Descriptor) -> Int {
        guard let process = try? socket.peerProcess(), process > 0 else { return 0 }
        return parent(of: process) ?? Int(process)
    }

    /// `/proc/PID/stat`: the second word is the program's name in brackets, whatever that holds.
    private static func parent(of process: Int32) -> Int? {
        guard
            let file = try? Descriptor.open(FilePath("/proc/\(process)/stat"), .readOnly),
            let bytes = try? file.read(maximumBytes: 4096),
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let words = String(decoding: bytes[bytes.index(after: end)...], as: UTF8.self)
            .split(separator: " ")
        // The state, then the parent. 1 is whoever has lost its parent: none of its own.
        guard words.count > 1, let parent = Int(words[1]), parent > 1 else { return nil }
        return parent
    }
}
