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
    /// Tells the journal's records of this daemon from those of others.
    private let daemon = String(JobID.random().text.prefix(8))
    private let clock: MachineClock
    private let sent: Monitor<Sent>

    /// What has become of the records for the journal.
    private struct Sent {
        /// The number of the last one.
        var sequence: UInt64 = 0
        /// Those that the journal did not take, and that nobody has been told of.
        var missing = 0
        /// When to tell next.
        var nextTelling: ContinuousClock.Instant

        /// How many are missing; they are told of now.
        mutating func takeMissing(at now: ContinuousClock.Instant) -> Int {
            guard missing > 0 else { return 0 }
            defer { missing = 0 }
            nextTelling = now + .seconds(AuditLog.tellingSeconds)
            return missing
        }
    }

    /// How long it is at least between two records that say how many are missing, in seconds: a
    /// journal that lags does not need more of them.
    private static let tellingSeconds = 60

    /// - Parameters:
    ///   - file: opened for each line, so that it can be rotated under us.
    ///   - journalSocket: the journal's socket.
    ///   - clock: dates the lines of the file.
    init(
        file: FilePath, journalSocket: FilePath, clock: MachineClock, bounds: Bounds = Bounds()
    ) {
        self.file = file
        self.journalSocket = journalSocket
        self.clock = clock
        share = CallShare(bounds: bounds, clock: clock)
        sent = Monitor(Sent(nextTelling: clock.now()))
    }

    /// Writes one record, whatever came before it.
    func write(_ record: AuditRecord) {
        for (caller, count) in share.owed() { put(Self.omitted(count, of: caller)) }
        put(record)
    }

    /// Writes a record of a call; of a caller that has more of them than its share of the log, only
    /// how many there were.
    /// - Returns: false where it is only counted.
    @discardableResult
    func writeCall(_ record: AuditRecord) -> Bool {
        for (caller, count) in share.owed() { put(Self.omitted(count, of: caller)) }
        guard share.take(record.caller) else { return false }
        put(record)
        return true
    }

    /// Writes down what was left out so far, at the daemon's end.
    func flush() {
        for (caller, count) in share.all() { put(Self.omitted(count, of: caller)) }
        let now = clock.now()
        tell(missing: sent.withLock { $0.takeMissing(at: now) })
    }

    private static func omitted(_ count: Int, of caller: String) -> AuditRecord {
        var record = AuditRecord(.omitted)
        record.caller = caller
        record.detail = "\(count) more calls"
        return record
    }

    private func put(_ record: AuditRecord) {
        let time = Date(timeIntervalSince1970: Double(clock.epochSeconds())).formatted(.iso8601)
        do throws(Errno) {
            try append("\(time) \(record.line)\n")
        } catch {
            complain("cannot write to \(file): \(error)")
        }
        tell(missing: sendToJournal(record))
    }

    /// The journal is the second place: what it does not take at once is in the file, and its
    /// number is missing there.
    /// - Returns: how many it did not take before, where it is time to say so.
    private func sendToJournal(_ record: AuditRecord) -> Int {
        sent.withLock { state in
            state.sequence += 1
            var record = record
            record.daemon = daemon
            record.sequence = state.sequence
            do throws(Errno) {
                try UnixSocket.sendDatagram(Self.journalDatagram(record), to: journalSocket)
            } catch {
                state.missing += 1
                return 0
            }
            let now = clock.now()
            guard state.nextTelling <= now else { return 0 }
            return state.takeMissing(at: now)
        }
    }

    private func tell(missing: Int) {
        guard missing > 0 else { return }
        trouble("the journal did not take records, which this file has: \(missing)")
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
        case .start, .request, .callEnd, .jobStart, .jobEnd, .stop: 5
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
    /// - Parameters:
    ///   - untrustedHeader: nil when none came.
    ///   - target: the qube's name, where the header has its UUID and it is known.
    func refused(_ untrustedHeader: CallHeader?, _ refusal: Refusal, target: String? = nil) {
        var record = AuditRecord(.request, untrusted: untrustedHeader)
        record.target = target ?? record.target
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
