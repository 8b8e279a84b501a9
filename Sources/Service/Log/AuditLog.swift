// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// Writes every record to the log file and to the journal. Neither being there stops the daemon: a
/// full disk must not stop what gives space back.
final class AuditLog: Sendable {
    /// The file's permissions: as those of its neighbours, it is for the group that administers
    /// qubes to read, and for nobody else.
    static let fileMode: UInt32 = 0o640

    private let file: FilePath
    private let journalSocket: FilePath
    private let share: CallShare

    /// - Parameters:
    ///   - file: opened for each line, so that it can be rotated under us.
    ///   - journalSocket: the journal's socket.
    init(file: FilePath, journalSocket: FilePath, bounds: Bounds = Bounds()) {
        self.file = file
        self.journalSocket = journalSocket
        share = CallShare(bounds: bounds)
    }

    /// Writes one record, whatever came before it.
    func write(_ record: AuditRecord) {
        for (caller, count) in share.owed() { put(Self.omitted(count, of: caller)) }
        put(record)
    }

    /// Writes a record of a call; of a caller that has more of them than its share of the log, only
    /// how many there were.
    func writeCall(_ record: AuditRecord) {
        for (caller, count) in share.owed() { put(Self.omitted(count, of: caller)) }
        guard share.take(record.caller) else { return }
        put(record)
    }

    /// Writes down what was left out so far, at the daemon's end.
    func flush() {
        for (caller, count) in share.all() { put(Self.omitted(count, of: caller)) }
    }

    private static func omitted(_ count: Int, of caller: String) -> AuditRecord {
        var record = AuditRecord(.omitted)
        record.caller = caller
        record.detail = "\(count) more calls"
        return record
    }

    private func put(_ record: AuditRecord) {
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
        case .trouble, .omitted: 4
        case .start, .request, .reportEnd, .jobStart, .jobEnd, .stop: 5
        }
    }

    /// One write a line: lines of several threads do not mix, for the file is opened to append. The
    /// directory belongs to a group, so that neither a link nor a pipe is trusted.
    private func append(_ line: String) throws(Errno) {
        let descriptor = try Descriptor.open(
            file, [.writeOnly, .append, .create, .noFollow, .nonBlocking], mode: Self.fileMode)
        let status = try descriptor.status()
        guard status.isRegularFile else { throw .invalidArgument }
        // The unit's umask takes the group's part away when the file is made. One that belongs to
        // somebody else stays as it is.
        if status.sizeBytes == 0 { try? descriptor.setMode(Self.fileMode) }
        try descriptor.write(Array(line.utf8))
    }

    /// The last resort: the daemon's standard error, which systemd keeps.
    private func complain(_ text: String) {
        _ = try? FileDescriptor.standardError.writeAll(Array("qubes-btrfsd: \(text)\n".utf8))
    }
}

extension AuditLog {
    static let accepted = "accepted"

    /// Something that no call waits for went wrong.
    func trouble(_ detail: String) {
        var record = AuditRecord(.trouble)
        record.detail = detail
        write(record)
    }

    /// A call that was refused, and why.
    /// - Parameter untrustedHeader: nil when none came.
    func refused(_ untrustedHeader: CallHeader?, _ refusal: Refusal) {
        var record = AuditRecord(.request, untrusted: untrustedHeader)
        record.outcome = refusal.exception.kind.rawValue
        record.detail = refusal.detail ?? refusal.exception.message
        writeCall(record)
    }
}

extension AuditRecord {
    /// A record of a call as it came.
    init(_ event: AuditEvent, untrusted untrustedHeader: CallHeader?) {
        self.init(event)
        guard let untrustedHeader else { return }
        caller = untrustedHeader.source
        service = untrustedHeader.service
        argument = untrustedHeader.argument
        target =
            switch untrustedHeader.target {
            case .name(let name): name
            case .keyword(let keyword): "@" + keyword
            }
    }
}
