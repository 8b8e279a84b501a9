// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// How the machine's totals went: one small file, replaced as a whole. Losing it costs a curve on a
/// page, so that no failure here stops a report.
final class HistoryStore: Sendable {
    private struct Stored: Codable {
        var version: ProtocolVersion
        var points: [HistoryPoint]
    }

    /// Points closer together than this, in seconds, are one: the later.
    static let stepSeconds: Int64 = 3600
    private static let name = "history.json"
    private static let unfinishedName = "history.new"

    private let directory: SharedDescriptor?
    private let audit: AuditLog
    private let points: Monitor<[HistoryPoint]>
    private let limit: Int

    /// Reads what was kept; what cannot be read is begun anew, but for what a later release has
    /// written: that is kept for it, and what is counted meanwhile is not.
    init(stateDirectory: FilePath, audit: AuditLog, limit: Int = Limits.historyPoints) {
        let directory = try? SharedDescriptor(
            Descriptor.open(stateDirectory, [.readOnly, .directory]))
        let bytes = directory.flatMap(Self.read) ?? []
        let isNewer = NewerFile.holds(bytes)
        if isNewer {
            audit.trouble("the history of totals is of a later release, and is kept for it")
        }
        self.directory = isNewer ? nil : directory
        self.audit = audit
        self.limit = limit
        points = Monitor(Self.points(bytes, limit: limit))
    }

    private static func read(_ directory: SharedDescriptor) -> [UInt8]? {
        guard
            let file = try? directory.descriptor.open(
                beneath: FilePath(name), [.readOnly, .noFollow, .nonBlocking])
        else { return nil }
        return try? file.readToEnd(limitBytes: Limits.eventBytes)
    }

    private static func points(_ bytes: [UInt8], limit: Int) -> [HistoryPoint] {
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(bytes)) else {
            return []
        }
        return thinned(stored.points.sorted { $0.at < $1.at }, limit: limit)
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
            write(points)
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
            // An estimate changes nothing.
            guard let result = job.result, let endedAt = job.endedAt, !result.after.isEmpty,
                job.operation != .estimate
            else { return nil }
            var point = HistoryPoint(at: endedAt, result.after)
            point.operation = job.operation.rawValue
            point.savedBytes = result.savedBytes
            return point
        }
        return (points.withLock { $0 } + ends).sorted { $0.at < $1.at }
    }

    private func write(_ points: [HistoryPoint]) {
        guard let directory else { return }
        do {
            let bytes = try [UInt8](
                JSONEncoder().encode(Stored(version: .current, points: points)))
            let file = try directory.descriptor.open(
                beneath: FilePath(Self.unfinishedName),
                [.writeOnly, .create, .truncate, .noFollow], mode: 0o600)
            try file.write(bytes)
            try directory.descriptor.rename(entry: Self.unfinishedName, to: Self.name)
        } catch {
            audit.trouble("the history of totals could not be written: \(error)")
        }
    }
}
