// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// How the machine's totals went, in a small file. Losing it costs a curve on a page.
final class HistoryStore: Sendable {
    private struct Stored: Codable {
        var points: [HistoryPoint]
    }

    /// Points closer together than this, in seconds, are one: the later.
    static let stepSeconds: Int64 = 3600

    private let file: KeptFile<Stored>
    private let points: Monitor<[HistoryPoint]>
    private let limit: Int

    /// Reads what was kept; what cannot be read is begun anew, but for what a later release has
    /// written: that is kept for it, and what is counted meanwhile is not.
    init(stateDirectory: FilePath, audit: AuditLog, limit: Int = Limits.historyPoints) {
        file = KeptFile(
            stateDirectory: stateDirectory, name: "history", meaning: "the history of totals",
            audit: audit)
        self.limit = limit
        let found = file.found?.points.sorted { $0.at < $1.at } ?? []
        points = Monitor(Self.thinned(found, limit: limit))
    }

    /// Adds what a report has counted.
    func add(_ point: HistoryPoint) {
        points.withLock { points in
            if let last = points.last {
                // A broken file may hold any moment.
                let (step, isOverflow) = point.at.subtractingReportingOverflow(last.at)
                if !isOverflow, step < Self.stepSeconds { points.removeLast() }
            }
            points.append(point)
            points = Self.thinned(points, limit: limit)
            file.write(Stored(points: points))
        }
    }

    /// Half of the older half goes when there are too many: what is long past needs fewer points.
    private static func thinned(_ points: [HistoryPoint], limit: Int) -> [HistoryPoint] {
        var points = points
        while points.count > limit {
            let old = points.count / 2
            points =
                points[..<old].enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
                + points[old...]
        }
        return points
    }

    /// What was counted, and what jobs brought, in the order of time.
    /// - Parameter jobs: those that the reader may know of.
    func all(with jobs: [JobRecord]) -> [HistoryPoint] {
        let ends = jobs.compactMap { job -> HistoryPoint? in
            // An estimate and a verification bring nothing.
            guard let result = job.result, let endedAt = job.endedAt, !result.after.isEmpty,
                !job.operation.changesNothing
            else { return nil }
            var point = HistoryPoint(at: endedAt, result.after)
            point.operation = job.operation.rawValue
            point.savedBytes = result.savedBytes
            return point
        }
        return (points.withLock { $0 } + ends).sorted { $0.at < $1.at }
    }
}
