// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// How the live image of a volume has grown since it was last seen to hold less than before. A
/// trim, a discard and a hole that a job makes all make it hold less; what jobs pack or share does
/// not.
struct VolumeGrowth: Codable, Equatable, Sendable {
    /// Looks closer together than this, in seconds, count as one.
    static let stepSeconds: Int64 = 3600
    /// Less than this is not worth a word: three weeks, a look in most of them, 256 MiB.
    static let leastSeconds: Int64 = 21 * 86400
    static let leastLooks = 4
    static let leastBytes: UInt64 = 256 << 20

    private(set) var sinceAt: Int64
    private(set) var sinceBytes: UInt64
    private(set) var lastAt: Int64
    private(set) var lastBytes: UInt64
    private(set) var looks = 1

    /// It is seen for the first time.
    init(_ bytes: UInt64, at now: Int64) {
        (sinceAt, lastAt) = (now, now)
        (sinceBytes, lastBytes) = (bytes, bytes)
    }

    /// It is seen once more.
    /// - Returns: whether that has to be kept.
    mutating func see(_ bytes: UInt64, at now: Int64) -> Bool {
        // A clock that was put back, or a broken file, tells nothing of the time between.
        let (step, isOverflow) = now.subtractingReportingOverflow(lastAt)
        if bytes < lastBytes || step < 0 || isOverflow {
            self = Self(bytes, at: now)
            return true
        }
        lastBytes = bytes
        guard step >= Self.stepSeconds else { return false }
        lastAt = now
        looks = looks.addingReportingOverflow(1).partialValue
        return true
    }

    /// What is to be said of it; nil where that would be a guess.
    var shown: Report.Growth? {
        let (seconds, isOverflow) = lastAt.subtractingReportingOverflow(sinceAt)
        guard !isOverflow, seconds >= Self.leastSeconds, looks >= Self.leastLooks,
            lastBytes >= sinceBytes, lastBytes - sinceBytes >= Self.leastBytes
        else { return nil }
        return Report.Growth(
            sinceAt: sinceAt, lastAt: lastAt, grownBytes: lastBytes - sinceBytes, looks: looks)
    }
}

/// That of all volumes, by every report that is made.
final class GrowthStore: Sendable {
    /// Of more volumes than this, those go that were not seen for longest.
    static let limit = 4000

    private struct Stored: Codable {
        var volumes: [String: VolumeGrowth]
    }

    private let file: KeptFile<Stored>
    private let volumes: Monitor<[String: VolumeGrowth]>
    private let limit: Int

    init(stateDirectory: FilePath, audit: AuditLog, limit: Int = GrowthStore.limit) {
        file = KeptFile(
            stateDirectory: stateDirectory, name: "growth", meaning: "the growth of volumes",
            audit: audit)
        volumes = Monitor(file.found?.volumes ?? [:])
        self.limit = limit
    }

    /// Takes what a report has counted, and says in it what is to be said.
    func note(_ report: inout Report, _ inventory: Inventory) {
        volumes.withLock { volumes in
            var isToBeKept = false
            for index in report.qubes.indices {
                guard let qube = inventory.qube(named: report.qubes[index].name) else { continue }
                for place in report.qubes[index].volumes.indices {
                    let volume = report.qubes[index].volumes[place]
                    guard let key = Self.key(volume.name, of: qube), let bytes = volume.liveBytes
                    else { continue }
                    if volumes[key]?.see(bytes, at: report.generatedAt) ?? true {
                        volumes[key] = volumes[key] ?? VolumeGrowth(bytes, at: report.generatedAt)
                        isToBeKept = true
                    }
                    report.qubes[index].volumes[place].growth = volumes[key]?.shown
                }
            }
            if !isToBeKept { return }
            if volumes.count > limit {
                let newest = volumes.sorted { $0.value.lastAt > $1.value.lastAt }
                volumes = Dictionary(
                    uniqueKeysWithValues: newest.prefix(limit).map { ($0.key, $0.value) })
            }
            file.write(Stored(volumes: volumes))
        }
    }

    /// What is to be said of a volume.
    func shown(_ volume: String, of qube: Qubes.Qube) -> Report.Growth? {
        Self.key(volume, of: qube).flatMap { key in volumes.withLock { $0[key]?.shown } }
    }

    /// Of volumes that go with each start nothing is kept, nor of dom0's own files. Another qube of
    /// the same name is another one.
    private static func key(_ name: String, of qube: Qubes.Qube) -> String? {
        guard qube.volumes.contains(where: { $0.name == name && $0.saveOnStop }) else {
            return nil
        }
        return "\(qube.uuid ?? qube.name) \(name)"
    }
}

extension Report.Volume {
    /// What the image holds that the qube writes to, holes left out; when it does not run, the one
    /// that it will start from.
    fileprivate var liveBytes: UInt64? {
        let live = images.first { $0.role == "dirty" } ?? images.first { $0.role == "clean" }
        return live?.figures?.dataBytes
    }
}

extension CallHandler {
    /// The qubes that were asked about of which a volume has grown for weeks, each once.
    func growing(_ order: WorkerOrder, _ target: Target) -> [CheckReport.Finding] {
        let names = Set(order.volumes.filter(\.selected).map(\.qube)).sorted()
        let running = try? qubes.running(visibleTo: target.caller)
        let findings = names.compactMap { target.inventory.qube(named: $0) }.compactMap { qube in
            let grown = qube.volumes.compactMap { volume in
                growth.shown(volume.name, of: qube).map { (volume.name, $0) }
            }
            return grown.max { $0.1.grownBytes < $1.1.grownBytes }.map { volume, growth in
                CheckReport.Finding(
                    .note, "image.grows", about: .qube(qube.name),
                    "\(volume) has grown by \(growth.grownBytes >> 20) MiB in"
                        + " \(growth.days) days, and was never seen to shrink"
                        + " (\(growth.looks) looks)",
                    reason: "Nothing was deleted in it, or nothing of that came back: a trim tells"
                        + " which.",
                    command: Report.Growth.trimCommand(
                        [qube.name], starts: running?.contains(qube.name) == false))
            }
        }
        return Array(findings.prefix(Limits.namedItems))
    }
}
