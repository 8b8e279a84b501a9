// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

@testable import Client

/// Values that the tests show.
enum Sample {
    static let job = "0123456789abcdef0123"
    static let otherJob = "0123ffffffffffffffff"
    static let longName = "a-name-of-thirty-one-characters"
    static let tebibyte: UInt64 = 1 << 40
    static let gibibyte: UInt64 = 1 << 30

    /// Every kind of character that moves a terminal, turns its direction or ends a line.
    static let hostile = "x\u{1b}[2J\u{7}\r\n\t\u{9b}31m\u{7f}\u{202e}\u{2066}\u{2028}\u{200b}y"

    static func figures(_ bytes: UInt64) -> Figures {
        Figures(
            sizeBytes: bytes, dataBytes: bytes, diskBytes: bytes / 2, exclusiveBytes: bytes / 4,
            revisionsBytes: bytes / 8)
    }

    static func qube(_ name: String, bytes: UInt64, nocow: Bool = false) -> Report.Qube {
        Report.Qube(
            name: name, kind: "AppVM", figures: figures(bytes),
            volumes: [
                .init(
                    name: "private", pool: "varlibqubes", figures: figures(bytes),
                    images: [
                        .init(
                            path: "appvms/\(name)/private.img", role: "clean", sizeBytes: bytes,
                            nocow: nocow)
                    ])
            ])
    }

    static func report(
        _ qubes: [Report.Qube], fileSystems: [FileSystemUsage] = [],
        problems: [Report.Problem] = []
    ) -> Report {
        Report(
            generatedAt: 0, qubes: qubes,
            total: figures(qubes.reduce(0) { $0 + $1.figures.dataBytes }),
            fileSystems: fileSystems, problems: problems)
    }

    static func usage(dataUsedBytes: UInt64, pools: [String] = ["varlibqubes"]) -> FileSystemUsage {
        FileSystemUsage(
            pools: pools, deviceBytes: 16 * tebibyte, unallocatedBytes: tebibyte,
            dataTotalBytes: dataUsedBytes &* 2, dataUsedBytes: dataUsedBytes,
            metadataTotalBytes: 4 * gibibyte, metadataUsedBytes: gibibyte)
    }

    static func progress(
        _ stage: JobProgress.Stage = .execute, done: UInt64, of total: UInt64, saved: UInt64 = 0,
        at seconds: Double
    ) -> JobProgress {
        JobProgress(
            stage: stage, doneBytes: done, totalBytes: total, savedBytes: saved,
            elapsedSeconds: seconds)
    }

    static func result(before: UInt64, after: UInt64) -> JobResult {
        JobResult(
            before: [usage(dataUsedBytes: before)], after: [usage(dataUsedBytes: after)],
            extentsSeen: 1_234_567, extentsReplaced: 1000, referencesMoved: 2500,
            predictedBytes: 3 * gibibyte,
            leftAlone: [.init(reason: "only running qubes use them", count: 12, diskBytes: 4096)],
            problems: [.init(subject: "work", message: "NOCOW")], elapsedSeconds: 192)
    }

    static let unreadable = [
        UnreadablePlace(
            qube: "work", volume: "private", image: "appvms/work/private.img",
            offsetBytes: 25_165_824, lengthBytes: 4096,
            copies: ["backup:private, appvms/backup/private.img at 8192"]),
        UnreadablePlace(
            qube: longName, volume: "private", image: "appvms/\(longName)/private-precache.img",
            offsetBytes: .max, lengthBytes: .max),
        UnreadablePlace(
            qube: "", volume: "", image: "inode 300 of subvolume 5", offsetBytes: 0,
            lengthBytes: 8192),
    ]

    static func record(_ state: JobState, job: String = Sample.job) -> JobRecord {
        var record = JobRecord(
            job: job, operation: .compress, caller: "dom0", target: "work", argument: "private",
            submittedAt: 100)
        record.state = state
        if state != .queued { record.startedAt = 110 }
        if ![.queued, .running, .paused].contains(state) {
            record.endedAt = 302
            record.result = result(before: 10 * gibibyte, after: 8 * gibibyte)
        }
        if state == .failed { record.error = "the disk is full" }
        return record
    }
}

extension [Line] {
    /// The lines as a console without colours shows them.
    var texts: [String] { map(\.text) }
}
