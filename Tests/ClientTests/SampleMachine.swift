// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// A made-up machine with twelve qubes, whose figures fit together: the page and its picture in the
/// documents show it.
enum SampleMachine {
    private static let mebibyte: UInt64 = 1 << 20
    static let now: Int64 = 1_795_417_200

    private struct Plan {
        let name: String
        let kind: String
        let template: String?
        /// Own, revisions, and shared with the family, in MiB.
        let own: UInt64
        let revisions: UInt64
        let shared: UInt64
        var isRunning = false
        var isPacked = false
    }

    private static let plans: [[Plan]] = [
        [
            Plan(
                name: "debian-13", kind: "TemplateVM", template: nil, own: 310, revisions: 540,
                shared: 5230, isPacked: true),
            Plan(
                name: "work", kind: "AppVM", template: "debian-13", own: 21_400, revisions: 3900,
                shared: 5230, isRunning: true),
            Plan(
                name: "work-clone", kind: "AppVM", template: "debian-13", own: 2300, revisions: 0,
                shared: 14_200),
            Plan(
                name: "mail", kind: "AppVM", template: "debian-13", own: 6100, revisions: 410,
                shared: 5230, isRunning: true),
            Plan(
                name: "vault", kind: "AppVM", template: "debian-13", own: 240, revisions: 12,
                shared: 5230),
        ],
        [
            Plan(
                name: "fedora-43", kind: "TemplateVM", template: nil, own: 820, revisions: 1210,
                shared: 6100, isPacked: true),
            Plan(
                name: "personal", kind: "AppVM", template: "fedora-43", own: 38_200,
                revisions: 9700, shared: 6100),
            Plan(
                name: "untrusted", kind: "AppVM", template: "fedora-43", own: 3400, revisions: 260,
                shared: 6100, isRunning: true),
            Plan(
                name: "dev", kind: "AppVM", template: "fedora-43", own: 14_800, revisions: 2200,
                shared: 6100, isPacked: true),
        ],
        [
            Plan(
                name: "debian-13-minimal", kind: "TemplateVM", template: nil, own: 190,
                revisions: 30, shared: 1240, isPacked: true),
            Plan(
                name: "sys-net", kind: "AppVM", template: "debian-13-minimal", own: 120,
                revisions: 8, shared: 1240, isRunning: true),
        ],
        [
            Plan(
                name: "windows-11", kind: "StandaloneVM", template: nil, own: 27_500,
                revisions: 4100, shared: 0)
        ],
    ]
    /// What each family shares within, in MiB: each extent once.
    private static let sharedWithin: [UInt64] = [5230 + 9300, 6100, 1240, 0]
    private static let sharedBetween: UInt64 = 3100
    private static let others: UInt64 = 7300

    static var report: Report {
        let qubes = plans.joined().map(qube)
        var families: [QubeSet] = []
        for (plan, shared) in zip(plans, sharedWithin) {
            let own = plan.reduce(0) { $0 + $1.own + $1.revisions }
            let revisions = plan.reduce(0) { $0 + $1.revisions }
            families.append(
                QubeSet(
                    name: plan[0].name, qubes: plan.map(\.name),
                    figures: figures(
                        own: own - revisions + shared, revisions: revisions,
                        shared: sharedBetween / 2, packed: own / 4)))
        }
        let exclusive =
            families.reduce(0) { $0 + $1.figures.exclusiveBytes / mebibyte } + sharedBetween
        let revisions = plans.joined().reduce(0) { $0 + $1.revisions }
        let total = figures(
            own: exclusive - revisions, revisions: revisions, shared: 0, packed: exclusive / 4)
        let used = exclusive + others
        var usage = FileSystemUsage(
            pools: ["varlibqubes"], deviceBytes: 476_000 * mebibyte,
            unallocatedBytes: 214_000 * mebibyte, dataTotalBytes: (used + 90_000) * mebibyte,
            dataUsedBytes: used * mebibyte, metadataTotalBytes: 4096 * mebibyte,
            metadataUsedBytes: 1830 * mebibyte, systemTotalBytes: 32 * mebibyte,
            systemUsedBytes: mebibyte / 4)
        usage.mountOptions = ["ssd", "discard=async", "space_cache=v2", "compress=zstd:1"]
        var report = Report(
            generatedAt: now, qubes: Array(qubes), total: total, fileSystems: [usage], problems: [])
        report.families = families
        report.pools = [
            QubeSet(name: "varlibqubes", qubes: qubes.map(\.name), figures: total)
        ]
        report.machine = MachineFigures(
            everything: figures(
                own: used - revisions, revisions: revisions, shared: 0, packed: used / 4),
            others: figures(own: others, revisions: 0, shared: 0, packed: others),
            savedByCompressionBytes: used / 4 * 11 / 10 * mebibyte,
            savedBySharingBytes: 88_400 * mebibyte)
        report.history = history(usage)
        return report
    }

    private static func history(_ usage: FileSystemUsage) -> [HistoryPoint] {
        var points: [HistoryPoint] = []
        var used = usage.dataUsedBytes + 61_000 * mebibyte
        for week in 0..<26 {
            used += UInt64(700 + week * 37 % 900) * mebibyte
            var point = HistoryPoint(
                at: now - Int64(26 - week) * 604_800, deviceBytes: usage.deviceBytes,
                dataUsedBytes: used, metadataUsedBytes: usage.metadataUsedBytes,
                unallocatedBytes: usage.unallocatedBytes)
            if let (operation, saved) = [7: ("optimize", 41_000), 18: ("compress", 27_600)][week] {
                used -= UInt64(saved) * mebibyte
                point.dataUsedBytes = used
                point.operation = operation
                point.savedBytes = Int64(saved) << 20
            }
            points.append(point)
        }
        return points + [HistoryPoint(at: now, [usage])]
    }

    private static func qube(_ plan: Plan) -> Report.Qube {
        let all = figures(
            own: plan.own, revisions: plan.revisions, shared: plan.shared,
            packed: plan.isPacked ? (plan.own + plan.shared) : 0)
        let isTemplate = plan.kind == "TemplateVM"
        let main = figures(
            own: plan.own, revisions: plan.revisions, shared: isTemplate ? plan.shared : 0,
            packed: plan.isPacked ? plan.own : 0)
        let folder = isTemplate ? "vm-templates" : "appvms"
        let name = isTemplate ? "root" : "private"
        var images = [
            Report.Image(
                path: "\(folder)/\(plan.name)/\(name).img", role: "clean",
                sizeBytes: main.dataBytes * 2, nocow: false, figures: main)
        ]
        if plan.revisions > 0 {
            images.append(
                Report.Image(
                    path: "\(folder)/\(plan.name)/\(name).img.4@2026-11-20T08:00:00Z",
                    role: "revision", sizeBytes: main.dataBytes * 2, nocow: false,
                    createdAt: 1_795_161_600,
                    figures: figures(
                        own: 0, revisions: plan.revisions, shared: plan.own, packed: 0)))
        }
        var volumes = [
            Report.Volume(name: name, pool: "varlibqubes", figures: main, images: images)
        ]
        if !isTemplate && plan.shared > 0 {
            volumes.append(
                Report.Volume(
                    name: "root", pool: "varlibqubes",
                    figures: figures(own: 0, revisions: 0, shared: plan.shared, packed: 0),
                    images: []))
        }
        var qube = Report.Qube(
            name: plan.name, kind: plan.kind, figures: all, volumes: volumes)
        qube.template = plan.template
        qube.isRunning = plan.isRunning
        return qube
    }

    /// Figures in MiB; what is packed has shrunk to a half.
    private static func figures(
        own: UInt64, revisions: UInt64, shared: UInt64, packed: UInt64
    ) -> Figures {
        let disk = own + revisions + shared
        let packed = min(packed, disk)
        var storage: [Figures.Storage] = []
        for (kind, size, content) in [
            ("none", disk - packed, disk - packed), ("zstd", packed, packed * 21 / 10),
        ] where size > 0 {
            storage.append(
                .init(
                    kind: kind, diskBytes: size * mebibyte, contentBytes: content * mebibyte,
                    dataBytes: content * mebibyte))
        }
        return Figures(
            sizeBytes: disk * 3 * mebibyte, dataBytes: (disk + packed * 11 / 10) * mebibyte,
            diskBytes: disk * mebibyte, exclusiveBytes: (own + revisions) * mebibyte,
            revisionsBytes: revisions * mebibyte, compressedDiskBytes: packed * mebibyte,
            compressedDataBytes: packed * 21 / 10 * mebibyte, extents: disk * 9,
            exclusiveDataBytes: (own + revisions) * mebibyte,
            unreachableBytes: own / 60 * mebibyte, storage: storage)
    }
}
