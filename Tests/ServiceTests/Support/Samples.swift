// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// Messages of a worker.
enum Samples {
    static func progress(doneBytes: UInt64) -> WorkerMessage {
        .progress(
            JobProgress(
                stage: .execute, doneBytes: doneBytes, totalBytes: 100, savedBytes: 7,
                elapsedSeconds: 1))
    }

    static func usage(dataUsedBytes: UInt64) -> FileSystemUsage {
        FileSystemUsage(
            pools: ["varlibqubes"], deviceBytes: 1000, unallocatedBytes: 100, dataTotalBytes: 800,
            dataUsedBytes: dataUsedBytes, metadataTotalBytes: 50, metadataUsedBytes: 10)
    }

    /// 200 bytes saved; a problem with a file of `work`, and one with a file of `vault`.
    static let result = JobResult(
        before: [usage(dataUsedBytes: 700)], after: [usage(dataUsedBytes: 500)], extentsSeen: 3,
        extentsReplaced: 2, referencesMoved: 5, predictedBytes: 210, leftAlone: [],
        problems: [problem("work"), problem("vault")], elapsedSeconds: 2)

    static func problem(_ qube: String) -> Report.Problem {
        Report.Problem(
            .image(qube: qube, volume: "private", path: "appvms/\(qube)/private.img"),
            "It is NOCOW.")
    }

    static func report(qubes: [String]) -> Report {
        Report(
            generatedAt: 1_700_000_000,
            qubes: qubes.map {
                Report.Qube(name: $0, kind: "AppVM", figures: Figures(), volumes: [])
            },
            total: Figures(), fileSystems: [usage(dataUsedBytes: 500)],
            problems: [problem("work"), problem("vault")])
    }
}
