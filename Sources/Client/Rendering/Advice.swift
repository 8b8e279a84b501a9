// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What could be done about a qube, and what it would bring.
struct Advice: Equatable, Sendable {
    /// One thing to do.
    struct Step: Equatable, Sendable {
        /// What comes back, in bytes.
        var bytes: UInt64
        /// It is reckoned, not counted.
        var isEstimate: Bool
        /// What it is about, in a few words.
        var reason: String
        /// The command that does it.
        var command: String
    }

    /// The qube.
    var qube: String
    /// What to do, the largest first.
    var steps: [Step]

    /// What all of it brings.
    var bytes: UInt64 {
        steps.reduce(0) { $0.addingReportingOverflow($1.bytes).partialValue }
    }

    /// Less than this is not worth a line: 16 MiB.
    static let leastBytes: UInt64 = 16 << 20
    /// How many qubes are named.
    static let most = 3

    /// The qubes where most is to be had, the best first.
    static func best(of report: Report) -> [Advice] {
        let ratio = report.compressionRatio
        return report.qubes.map { qube in
            Advice(
                qube: qube.name,
                steps: steps(for: qube, ratio: ratio).filter { $0.bytes >= leastBytes }
                    .sorted { $0.bytes > $1.bytes })
        }.filter { !$0.steps.isEmpty }
            .sorted { ($1.bytes, $0.qube) < ($0.bytes, $1.qube) }.prefix(most).map { $0 }
    }

    /// What has to be said of several estimates: each counts what its job would touch.
    static func overlap(_ advice: [Advice]) -> String? {
        let estimates = advice.count { $0.steps.contains(where: \.isEstimate) }
        return estimates > 1 ? "What two of them share is in the figures of both." : nil
    }

    private static func steps(for qube: Report.Qube, ratio: Double?) -> [Step] {
        var steps: [Step] = []
        // The command is about one volume, and so is what it brings.
        if let worst = qube.volumes.max(by: {
            $0.figures.revisionsBytes < $1.figures.revisionsBytes
        }) {
            let count = worst.images.count { $0.role == "revision" }
            let revisions = count == 1 ? "the revision" : "the \(count) revisions"
            steps.append(
                Step(
                    bytes: worst.figures.revisionsBytes, isEstimate: false,
                    reason: "drop \(revisions) of \(worst.name): then there is no way back. "
                        + "\(count == 1 ? "It goes" : "They go") when the qube next stops",
                    command: "qvm-volume config \(qube.name):\(worst.name) revisions_to_keep 0"))
        }
        // What a later service counts, this client has no command for.
        let gains = qube.gains?.filter { !Operation(rawValue: $0.operation).isUnknown }
        if let gain = gains?.max(by: { $0.bytes < $1.bytes }) {
            steps.append(
                Step(
                    bytes: gain.bytes, isEstimate: true,
                    reason: "\(gain.operation) it, by the estimate of "
                        + Moment.day(gain.measuredAt),
                    command: "qvm-btrfs \(gain.operation) \(qube.name)"))
        } else if let saved = compressible(qube, ratio: ratio) {
            steps.append(
                Step(
                    bytes: saved, isEstimate: true,
                    reason: "compress it; what is compressed here shrinks "
                        + "\(ByteText.ratio(ratio)) : 1",
                    command: "qvm-btrfs compress \(qube.name)"))
        }
        // What optimize and dedupe were estimated to bring has it already.
        let allocated = qube.figures.stored("preallocated").diskBytes
        if qube.isRunning != true, gains?.contains(where: \.makesHoles) != true {
            steps.append(
                Step(
                    bytes: allocated, isEstimate: false,
                    reason: "make holes of what was allocated and never written",
                    command: "qvm-btrfs sparsify \(qube.name)"))
        }
        return steps
    }

    /// What compression would bring if this data shrinks as that which is compressed already. Data
    /// of which some is compressed was tried before, and what is left plain may be so for a reason.
    /// Revisions are left out: they may go, and what goes saves nothing more.
    private static func compressible(_ qube: Report.Qube, ratio: Double?) -> UInt64? {
        let plain = qube.figures.stored("none").diskBytes.minus(qube.figures.revisionsBytes)
        let isFixed = qube.volumes.flatMap(\.images).contains(where: \.nocow)
        guard let ratio, ratio > 1.05, !isFixed,
            qube.figures.compressedDiskBytes < plain / 20
        else { return nil }
        return UInt64(Double(plain) * (1 - 1 / ratio))
    }
}

extension Report {
    /// How much what is compressed has shrunk; nil when that is too little to tell.
    var compressionRatio: Double? {
        let figures = machine?.everything ?? total
        guard figures.compressedDiskBytes >= 64 << 20 else { return nil }
        return Double(figures.compressedDataBytes) / Double(figures.compressedDiskBytes)
    }
}

extension Gain {
    /// What was allocated and never written is a part of it.
    fileprivate var makesHoles: Bool { operation != Operation.compress.rawValue }
}
