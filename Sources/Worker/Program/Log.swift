// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// Detail for dom0's journal, by standard error.
enum Log {
    static func note(_ failures: [BtrfsError]) {
        for failure in failures { note("\(failure)") }
    }

    static func note(_ text: String) {
        _ = try? FileDescriptor.standardError.writeAll(Array("qubes-btrfs-worker: \(text)\n".utf8))
    }
}
