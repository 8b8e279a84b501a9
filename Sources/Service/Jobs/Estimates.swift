// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

extension JobRequest {
    /// What the last estimate has said of this job: of the same target and argument, by somebody
    /// who meant the same by it, and with no job since that may have changed things.
    /// - Parameters:
    ///   - records: what the job's caller may know of, the newest first.
    ///   - job: its own id.
    func estimate(in records: [JobRecord], before job: String) -> EstimatedBefore? {
        let earlier = records.drop { $0.job != job }.dropFirst()
        for record in earlier
        where record.isOver && record.concerns(self) && record.operation != .verify {
            guard record.operation == .estimate else { return nil }
            guard record.isSame(as: self), let estimate = record.result?.estimate,
                let endedAt = record.endedAt
            else { continue }
            guard let saving = saving(in: estimate.total) else { return nil }
            return EstimatedBefore(job: record.job, endedAt: endedAt, saving: saving)
        }
        return nil
    }
}

extension JobRecord {
    /// It was about the same qube, or one of them was about the machine.
    fileprivate func concerns(_ request: JobRequest) -> Bool {
        target == QubeName.machine || request.targetName == QubeName.machine
            || target == request.targetName
    }

    /// What the machine is depends on what the caller sees.
    fileprivate func isSame(as request: JobRequest) -> Bool {
        target == request.targetName && argument == request.argument.text
            && Set(exclude ?? []) == request.excluded
            && (target != QubeName.machine || caller == request.caller)
    }
}

extension JobRequest {
    fileprivate var targetName: String {
        switch target {
        case .machine: QubeName.machine
        case .qube(let name): name.text
        case .uuid, .nobody: ""
        }
    }

    /// The figure that is about this job; nil when the estimate did not look at its level.
    fileprivate func saving(in figures: Estimate.Figures) -> Estimate.Saving? {
        switch work {
        case .report, .check, .newData, .estimate, .verify, .defragment, .sparsify: nil
        case .dedupe: figures.dedupe
        case .compress(let level, _): figures.level(level)?.compress
        case .optimize(let level, _): figures.level(level)?.optimize
        }
    }
}
