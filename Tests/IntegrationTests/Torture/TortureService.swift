// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import TestSupport

/// The real daemon for the qubes of a torture, and what is known of its jobs.
final class TortureService: DaemonProcess {
    private let errorsPath: String

    init(on disk: TortureDisk) throws {
        errorsPath = disk.folder + "/daemon.err"
        let volumes = TortureDriver.volumes()
        var world = QubesdStandIn.World()
        for name in Set(volumes.map(\.qube)) { world.qubes[name] = "class=AppVM state=Halted" }
        try super.init(
            in: disk.folder, root: disk.path, inventory: Self.inventory(volumes, on: disk), world,
            errors: errorsPath)
    }

    private static func inventory(_ volumes: [WorkerOrder.Volume], on disk: TortureDisk) -> String {
        let pools = zip(["pool", "second"], TortureDriver.pools).map {
            #"<pool name="\#($0)" dir_path="\#(disk.path)/\#($1)" driver="file-reflink"/>"#
        }
        let qubes = Dictionary(grouping: volumes, by: \.qube).sorted { $0.key < $1.key }
        let domains = qubes.enumerated().map { index, qube in
            let own = qube.value.map {
                #"<volume name="\#($0.name)" pool="\#($0.pool)" vid="\#($0.volumeIdentifier)""#
                    + #" rw="True" save_on_stop="True" snap_on_start="False" size="8388608"/>"#
            }
            return #"<domain id="domain-\#(index + 2)" class="\#(qube.value[0].qubeKind)">"#
                + #"<properties><property name="name">\#(qube.key)</property></properties>"#
                + "<features/><tags/><volume-config>\(own.joined())</volume-config></domain>"
        }
        return "<qubes><labels/><pools>\(pools.joined())</pools><properties/><domains>"
            + #"<domain id="domain-0" class="AdminVM"><properties/><features/><tags/></domain>"#
            + "\(domains.joined())</domains></qubes>"
    }

    // MARK: Jobs

    /// Asks for a job as dom0 does.
    /// - Parameter qube: of which qube; nil for all that there is.
    /// - Returns: its id.
    func submit(_ work: WorkerOrder.Work, of qube: String?) throws -> String {
        let service: ServiceName
        var payload = try JSONEncoder().encode(DedupeRequest(running: work.isOfRunning))
        switch work {
        case .compress(let level, let running):
            service = .compress
            payload = try JSONEncoder().encode(CompressRequest(level: level, running: running))
        case .optimize(let level, let running):
            service = .optimize
            payload = try JSONEncoder().encode(CompressRequest(level: level, running: running))
        case .defragment: service = .defragment
        case .sparsify: service = .sparsify
        default: service = .dedupe
        }
        let bytes = try call(
            service.rawValue, from: "dom0", to: .name(qube ?? "dom0"),
            payload: String(decoding: payload, as: UTF8.self))
        return try Self.reply(bytes, as: JobAccepted.self).job
    }

    func record(_ job: String) throws -> JobRecord? {
        let list = try Self.reply(
            call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self)
        return list.jobs.first { $0.job == job }
    }

    /// What it and its workers have written as errors.
    var said: String {
        (try? String(contentsOfFile: errorsPath, encoding: .utf8)) ?? ""
    }

    func cancel(_ job: String) throws {
        _ = try call("btrfs.job.Cancel", argument: job, from: "dom0", to: .name("dom0"))
    }

    /// Ends it with SIGKILL.
    /// - Returns: whether its workers have ended, too, after a while.
    func killAlone() -> Bool {
        let workers = workers
        kill(identifier, SIGKILL)
        let end = ContinuousClock.now + .seconds(TortureWorker.patienceSeconds)
        while workers.contains(where: ProcessFigures.isRunning) || isRunning {
            guard ContinuousClock.now < end else { return false }
            usleep(1000)
        }
        return true
    }

    /// A record is true when what it says fits together.
    static func isTrue(_ record: JobRecord) -> Bool {
        switch record.state {
        case .done: record.result != nil && record.error == nil && record.endedAt != nil
        // Cancelled before its worker was there, or could measure, it has no result.
        case .cancelled: record.endedAt != nil
        case .interrupted: record.result == nil && record.error != nil && record.endedAt != nil
        default: false
        }
    }
}

extension WorkerOrder.Work {
    /// It is about what only running qubes have as well.
    fileprivate var isOfRunning: Bool {
        switch self {
        case .compress(_, let running), .optimize(_, let running), .dedupe(let running),
            .defragment(let running), .sparsify(let running), .estimate(let running):
            running
        case .report, .newData, .check, .verify: false
        }
    }
}
