// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import SystemCalls
import SystemPackage

/// Reads dom0's policy.
enum PolicyFolder {
    /// Where qrexec looks; of two files of one name that of the last folder counts. The second is
    /// there from Qubes 4.3 on (qrexec's `policy/parser.py`).
    static let paths = ["/etc/qubes/policy.d", "/run/qubes/policy.d"]
    /// The longest file that is read, in bytes.
    private static let limitBytes = 1 << 20

    /// Texts by their paths below these folders, those of folders in them as well. What cannot be
    /// read is not there.
    static func files(_ folders: [String] = paths) -> [String: String] {
        var files: [String: String] = [:]
        for folder in folders {
            for name in (try? FileManager.default.subpathsOfDirectory(atPath: folder)) ?? [] {
                let path = FilePath(folder).appending(name)
                guard let file = try? Descriptor.open(path, .readOnly),
                    let bytes = try? file.readToEnd(limitBytes: limitBytes)
                else { continue }
                files[name] = String(decoding: bytes, as: UTF8.self)
            }
        }
        return files
    }
}
