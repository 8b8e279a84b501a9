// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// Writes every record to the log file and to the journal. Neither being there stops the daemon: a
/// full disk must not stop what gives space back.
struct AuditLog: Sendable {
    /// The file, opened for each line, so that it can be rotated under us.
    let file: FilePath
    /// The journal's socket.
    let journalSocket: FilePath

    /// Writes one record.
    func write(_ record: AuditRecord) {
        let time = Date().formatted(.iso8601)
        do throws(Errno) {
            try append("\(time) \(record.line)\n")
        } catch {
            complain("cannot write to \(file): \(error)")
        }
        // The journal is the second place: what it cannot take is in the file.
        _ = try? UnixSocket.sendDatagram(Self.journalDatagram(record), to: journalSocket)
    }

    /// The record as systemd-journald's native protocol takes it: a field a line.
    private static func journalDatagram(_ record: AuditRecord) -> [UInt8] {
        let own = [
            ("MESSAGE", record.line), ("PRIORITY", "\(priority(record.event))"),
            ("SYSLOG_IDENTIFIER", "qubes-btrfsd"),
        ]
        return (own + record.journalFields).flatMap { name, value in
            Array("\(name)=\(value)\n".utf8)
        }
    }

    /// syslog's levels: 4 is a warning, 5 a notice.
    private static func priority(_ event: AuditEvent) -> Int {
        switch event {
        case .trouble: 4
        case .start, .request, .reportEnd, .jobStart, .jobEnd, .stop: 5
        }
    }

    /// One write a line: lines of several threads do not mix, for the file is opened to append. The
    /// directory belongs to a group, so that neither a link nor a pipe is trusted.
    private func append(_ line: String) throws(Errno) {
        let descriptor = try Descriptor.open(
            file, [.writeOnly, .append, .create, .noFollow, .nonBlocking], mode: 0o640)
        guard try descriptor.status().isRegularFile else { throw .invalidArgument }
        try descriptor.write(Array(line.utf8))
    }

    /// The last resort: the daemon's standard error, which systemd keeps.
    private func complain(_ text: String) {
        _ = try? FileDescriptor.standardError.writeAll(Array("qubes-btrfsd: \(text)\n".utf8))
    }
}
