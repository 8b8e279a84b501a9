// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage

/// Reports as files of whoever runs the client.
enum ReportFile {
    /// A report that `--json` has written.
    static func read(_ path: String) throws(ClientError) -> Report {
        let bytes: [UInt8]?
        do throws(Errno) {
            let file = try Descriptor.open(FilePath(path), .readOnly)
            bytes = try file.readToEnd(limitBytes: Limits.replyBytes)
        } catch {
            throw .file(path, error)
        }
        guard let bytes, let report = try? JSONDecoder().decode(Report.self, from: Data(bytes))
        else { throw .notAReport(path) }
        return report
    }

    /// Writes a text to a file, in place of what it held.
    static func write(_ text: String, to path: String) throws(ClientError) {
        do throws(Errno) {
            let file = try Descriptor.open(
                FilePath(path), [.writeOnly, .create, .truncate], mode: 0o644)
            try file.write(Array(text.utf8))
        } catch {
            throw .file(path, error)
        }
    }
}
