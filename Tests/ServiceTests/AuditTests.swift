// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

@Suite struct AuditTests {
    @Test func noValueForgesARecord() throws {
        let hostile = "x\nQUBES_BTRFS_CALLER=dom0\nevent=job-end \"\\\" caller=dom0 \u{7f}\r\u{85}"
        var record = AuditRecord(.request)
        record.caller = hostile
        record.service = hostile
        record.argument = hostile
        record.target = hostile
        record.job = hostile
        record.outcome = hostile
        record.detail = hostile
        #expect(record.line.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        let journal = try JournalStandIn()
        AuditLog(file: "/dev/null", journalSocket: journal.path, clock: .system).write(record)
        let fields = try journal.next().split(separator: "\n")
        #expect(
            fields.map { $0.prefix { $0 != "=" } } == [
                "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "QUBES_BTRFS_EVENT",
                "QUBES_BTRFS_CALLER", "QUBES_BTRFS_SERVICE", "QUBES_BTRFS_ARGUMENT",
                "QUBES_BTRFS_TARGET", "QUBES_BTRFS_JOB", "QUBES_BTRFS_OUTCOME",
                "QUBES_BTRFS_DETAIL", "QUBES_BTRFS_DAEMON", "QUBES_BTRFS_SEQUENCE",
            ])
    }

    @Test func aJobLeavesAWholeHistory() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit(.compress, "root", from: "admin")
        _ = try fixture.end(of: job)
        let call = "caller=admin service=btrfs.Compress argument=root target=work job=\(job)"
        #expect(
            try fixture.auditLines().filter { $0.contains("btrfs.Compress") }
                .map { $0.replacing(#/ call=[0-9a-f]{8}$/#, with: "") } == [
                    "event=request \(call) outcome=accepted saved_bytes=- detail=-",
                    "event=job-start \(call) outcome=running saved_bytes=- detail=-",
                    "event=job-end \(call) outcome=done saved_bytes=200 detail=-",
                ])
    }

    @Test func aRefusedCallIsWrittenDown() throws {
        let fixture = try ServiceFixture()
        _ = try fixture.exception(.report, from: "admin", on: .name("vault"))
        _ = try fixture.exception(.report, from: "admin", on: .keyword("default"))
        let lines = try fixture.auditLines()
        let start = "event=request caller=admin service=btrfs.Report argument=-"
        #expect(
            lines.contains {
                $0.hasPrefix("\(start) target=vault job=- outcome=QubesVMNotFoundError")
            })
        #expect(
            lines.contains {
                $0.hasPrefix("\(start) target=\"@default\" job=- outcome=QubesVMNotFoundError")
            })
    }

    @Test func aReportIsWrittenDownAtItsStartAndItsEnd() throws {
        let fixture = try ServiceFixture(worker: "say failure")
        _ = try fixture.exception(.report)
        let events = try fixture.auditLines().filter { $0.contains("btrfs.Report") }
        #expect(events.count == 2)
        #expect(events.last?.hasPrefix("event=call-end") == true)
        #expect(
            events.last?.contains(
                "outcome=BtrfsPoolError saved_bytes=- detail=\"Read-only. EROFS\" call=")
                == true)
        // Which end belongs to which request: by the call's number.
        let numbers = events.map { $0.split(separator: " ").last }
        #expect(numbers.first == numbers.last && numbers.first??.hasPrefix("call=") == true)
    }

    @Test func theLogIsForTheGroupThatAdministersQubesWhateverTheUmaskSays() throws {
        let old = umask(0o077)
        defer { umask(old) }
        let fixture = try ServiceFixture()
        let mode = try Descriptor.open(fixture.settings.logFile, .readOnly).status().mode
        #expect(mode & 0o777 == AuditLog.fileMode)
        #expect(AuditLog.fileMode == 0o640)
    }

    @Test func aCallerThatFloodsFillsNoMoreThanItsShareOfTheLog() throws {
        var bounds = Bounds()
        bounds.logLines = 5
        bounds.logLinesPerSecond = 0
        let fixture = try ServiceFixture(bounds: bounds)
        for _ in 0..<20 {
            _ = try fixture.exception(.report, from: "admin", on: .name("vault"))
            _ = try fixture.call(.jobList, from: "admin")
        }
        _ = try fixture.exception(.report, from: "other", on: .name("vault"))
        for _ in 0..<20 { #expect(try fixture.isAlive()) }
        // What changes something is written down all the same.
        let job = try fixture.submit(from: "admin")
        _ = try fixture.end(of: job)
        fixture.daemon.stop()
        let lines = try fixture.auditLines()
        func count(_ text: String) -> Int { lines.count { $0.contains(text) } }
        #expect(count("event=request caller=admin") == 6)
        #expect(count("event=request caller=other") == 1)
        #expect(count("event=request caller=dom0 service=btrfs.job.List") == 20)
        #expect(count("event=omitted caller=admin") == 1)
        #expect(count("detail=\"35 more calls\"") == 1)
        #expect(count("event=job-end caller=admin") == 1)
    }

    @Test func systemdIsToldThatItServes() throws {
        let systemd = try JournalStandIn()
        Readiness.tell(environment: [:])
        Readiness.tell(environment: ["NOTIFY_SOCKET": systemd.path.string])
        #expect(try systemd.next() == "READY=1")
    }

    @Test func theLogHasATimeAtTheBeginningOfEachLine() throws {
        let fixture = try ServiceFixture()
        let text = String(
            decoding: try ServiceFixture.read(fixture.settings.logFile), as: UTF8.self)
        let line = try #require(text.split(separator: "\n").first)
        #expect(line.prefixMatch(of: #/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ event=start /#) != nil)
    }

    @Test func theJournalGetsARecordAsItTakesThem() throws {
        let journal = try JournalStandIn()
        let log = AuditLog(file: "/dev/null", journalSocket: journal.path, clock: .system)
        var record = AuditRecord(.jobEnd)
        record.caller = "admin"
        record.savedBytes = -5
        log.write(record)
        let text = try journal.next()
        #expect(
            text.replacing(#/DAEMON=[0-9a-f]{8}/#, with: "DAEMON=") == """
                MESSAGE=\(record.line)
                PRIORITY=5
                SYSLOG_IDENTIFIER=qubes-btrfsd
                QUBES_BTRFS_EVENT=job-end
                QUBES_BTRFS_CALLER=admin
                QUBES_BTRFS_SAVED_BYTES=-5
                QUBES_BTRFS_DAEMON=
                QUBES_BTRFS_SEQUENCE=1

                """)
    }

    @Test func aJournalThatIsNotReadHoldsNobody() throws {
        let journal = try JournalStandIn()
        let log = AuditLog(file: "/dev/null", journalSocket: journal.path, clock: .system)
        // Far more than the kernel queues for one socket.
        try expectSoon("writing waits for the journal") {
            for _ in 0..<5000 { log.write(AuditRecord(.start)) }
        }
        #expect(try journal.next().hasPrefix("MESSAGE=event=start"))
    }

    /// Does it on a thread of its own, so that a test which would wait for ever fails instead.
    private func expectSoon(
        _ failure: Comment, _ body: @escaping @Sendable () -> Void
    ) throws {
        let isOver = Monitor(false)
        try WorkThread.start {
            body()
            isOver.withLock { $0 = true }
        }
        let isSoon: Void? = isOver.wait(timeoutSeconds: 20) { $0 ? () : nil }
        try #require(isSoon != nil, failure)
    }

    @Test func aLogThatCannotBeWrittenStopsNothing() throws {
        let path = FilePath("/tmp/qubes-btrfs-log-\(UInt64.random(in: 0...UInt64.max))")
        unsafe mkfifo(path.string, 0o600)
        defer { unsafe unlink(path.string) }
        let log = AuditLog(file: path, journalSocket: "/nonexistent", clock: .system)
        // Nobody has the pipe open.
        try expectSoon("writing waits for a reader of a pipe") { log.write(AuditRecord(.start)) }
        let fixture = try ServiceFixture { settings in
            unsafe mkfifo(settings.logFile.string, 0o600)
        }
        #expect(try fixture.end(of: try fixture.submit()).state == .done)
    }

    @Test func aLogIsNeitherALinkNorAPipe() throws {
        let base = "/tmp/qubes-btrfs-log-\(UInt64.random(in: 0...UInt64.max))"
        let (file, link, pipe) = (base + ".file", base + ".link", base + ".pipe")
        try ServiceFixture.write("text", to: FilePath(file))
        unsafe symlink(file, link)
        unsafe mkfifo(pipe, 0o600)
        defer { for path in [file, link, pipe] { unsafe unlink(path) } }
        // With a reader the pipe can be opened.
        let reader = try Descriptor.open(FilePath(pipe), [.readOnly, .nonBlocking])
        for path in [link, pipe] {
            AuditLog(file: FilePath(path), journalSocket: "/nonexistent", clock: .system)
                .write(AuditRecord(.start))
        }
        #expect(try ServiceFixture.read(FilePath(file)) == Array("text".utf8))
        #expect(try reader.read(maximumBytes: 64).isEmpty)
    }
}
