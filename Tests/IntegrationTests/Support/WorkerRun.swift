// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Runs the real worker on one order.
enum WorkerRun {
    /// A volume `QUBE:NAME` in `appvms/QUBE/NAME`, or in `vm-templates` for a template.
    static func volume(
        _ qube: String, _ name: String = "private", group: String = "all", selected: Bool = true,
        skipped: Bool = false, level: Int? = nil, isTemplate: Bool = false, isVolatile: Bool = false
    ) -> WorkerOrder.Volume {
        WorkerOrder.Volume(
            qube: qube, qubeKind: isTemplate ? "TemplateVM" : "AppVM", name: name, pool: "pool",
            volumeIdentifier: (isTemplate ? "vm-templates" : "appvms") + "/\(qube)/\(name)",
            selected: selected, skipped: skipped, isVolatile: isVolatile, compressionLevel: level,
            dedupeGroup: group)
    }

    static func order(
        _ work: WorkerOrder.Work, _ volumes: [WorkerOrder.Volume], on fileSystem: LoopFileSystem
    ) -> WorkerOrder {
        WorkerOrder(
            work: work, pools: [.init(name: "pool", directory: fileSystem.pool)],
            volumes: volumes, wholeMachine: true)
    }

    /// All messages, in order.
    static func messages(
        _ order: WorkerOrder, cache: String? = nil, options: [String] = []
    ) throws -> [WorkerMessage] {
        let ending = try Command.run(
            [Command.program("qubes-btrfs-worker")]
                + (cache.map { ["--cache-directory", $0] } ?? []) + options,
            input: try JSONEncoder().encode(order))
        let messages = try ending.output.split(separator: "\n").map {
            try JSONDecoder().decode(WorkerMessage.self, from: Data($0.utf8))
        }
        switch messages.last {
        case nil, .progress?:
            // It has crashed or was killed: what it said last would tell nobody why.
            throw UnexpectedEnd(
                message: "status \(ending.status), \(messages.count) messages: \(ending.errors)")
        default: return messages
        }
    }

    /// The result of a job that must succeed.
    @discardableResult
    static func job(
        _ work: WorkerOrder.Work, _ volumes: [WorkerOrder.Volume], on fileSystem: LoopFileSystem,
        cache: String? = nil, options: [String] = []
    ) throws -> JobResult {
        let last = try messages(
            order(work, volumes, on: fileSystem), cache: cache, options: options
        ).last
        guard case .result(let result)? = last else {
            throw UnexpectedEnd(message: "\(String(describing: last))")
        }
        return result
    }

    static func report(
        _ volumes: [WorkerOrder.Volume], on fileSystem: LoopFileSystem
    ) throws -> Report {
        let last = try messages(order(.report, volumes, on: fileSystem)).last
        guard case .report(let report)? = last else {
            throw UnexpectedEnd(message: "\(String(describing: last))")
        }
        return report
    }

    /// What a check finds, of `work` and, unless it is not asked for, of the machine.
    static func check(
        _ fileSystem: LoopFileSystem, machine: Bool = true
    ) throws -> CheckReport {
        var order = order(.check, [volume("work")], on: fileSystem)
        order.wholeMachine = machine
        let last = try messages(order).last
        guard case .check(let check)? = last else {
            throw UnexpectedEnd(message: "\(String(describing: last))")
        }
        return check
    }

    struct UnexpectedEnd: Error { let message: String }

    static let compress = WorkerOrder.Work.compress(level: 3, running: false)
    static let dedupe = WorkerOrder.Work.dedupe(running: false)
    static let optimize = WorkerOrder.Work.optimize(level: 3, running: false)
    static let defragment = WorkerOrder.Work.defragment(running: false)
    static let sparsify = WorkerOrder.Work.sparsify(running: false)
}
