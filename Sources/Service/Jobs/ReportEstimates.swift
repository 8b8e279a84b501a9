// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

extension Report {
    /// Adds what remains to be gained, as the last estimates have reckoned it: of each qube until a
    /// job has worked on it since, and of the machine until any has.
    /// - Parameters:
    ///   - records: the jobs that the caller may know of, the newest first.
    ///   - caller: who reads it.
    mutating func addEstimates(_ records: [JobRecord], for caller: Caller) {
        var places: [String: Int] = [:]
        for (place, qube) in qubes.enumerated() { places[qube.name] = place }
        var isMachineKnown = false
        for record in records where record.isOver && record.operation != .verify {
            guard record.operation == .estimate else {
                // What it has changed is not known, so that older estimates say nothing of it.
                if record.target == QubeName.machine { return }
                isMachineKnown = true
                places[record.target] = nil
                continue
            }
            guard let estimate = record.result?.estimate, let endedAt = record.endedAt,
                // What the machine is depends on what a caller sees.
                record.target != QubeName.machine || record.caller == caller.name
            else { continue }
            if record.target == QubeName.machine && record.argument.isEmpty && !isMachineKnown {
                machine?.gains = Self.gains(estimate.total, at: endedAt)
                isMachineKnown = true
            }
            // One of a single volume says nothing of the others.
            guard record.argument.isEmpty else { continue }
            for qube in estimate.qubes {
                guard let place = places.removeValue(forKey: qube.name) else { continue }
                qubes[place].gains = Self.gains(qube.figures, at: endedAt)
            }
        }
    }

    private static func gains(_ figures: Estimate.Figures, at moment: Int64) -> [Gain] {
        let level = figures.level(nil)
        let savings = [
            ("optimize", level?.optimize.savedBytes ?? 0),
            ("compress", level?.compress.savedBytes ?? 0),
            ("dedupe", figures.dedupe.savedBytes),
        ]
        return savings.filter { $0.1 > 0 }.map {
            Gain(operation: $0.0, bytes: $0.1, measuredAt: moment)
        }
    }
}
