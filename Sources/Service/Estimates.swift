// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

extension Jobs {
    /// What the last estimate has said of a job that is asked for: of the same target and argument,
    /// by somebody who meant the same by it, and with no job since that may have changed things.
    func estimate(before job: String, _ request: JobRequest) -> EstimatedBefore? {
        let earlier = records().drop { $0.job != job }.dropFirst()
        for record in earlier where record.state.isOver && record.concerns(request) {
            guard record.operation == .estimate else { return nil }
            guard record.isSame(as: request), let estimate = record.result?.estimate,
                let endedAt = record.endedAt
            else { continue }
            guard let saving = request.saving(in: estimate.total) else { return nil }
            return EstimatedBefore(job: record.job, endedAt: endedAt, saving: saving)
        }
        return nil
    }
}

extension JobRecord {
    /// It was about the same qube, or one of them was about the machine.
    fileprivate func concerns(_ request: JobRequest) -> Bool {
        target == Names.machine || request.targetName == Names.machine
            || target == request.targetName
    }

    /// What the machine is depends on what the caller sees.
    fileprivate func isSame(as request: JobRequest) -> Bool {
        target == request.targetName && argument == request.argument.text
            && (target != Names.machine || caller == request.caller)
    }

    /// As a list has it: the figures of each qube are for who asks for the one job.
    func withoutEstimatedQubes() -> JobRecord {
        var record = self
        record.result?.estimate?.qubes = []
        return record
    }
}

extension JobRequest {
    fileprivate var targetName: String {
        switch target {
        case .machine: Names.machine
        case .qube(let name), .uuid(let name): name
        }
    }

    /// The figure that is about this job; nil when the estimate did not look at its level.
    fileprivate func saving(in figures: Estimate.Figures) -> Estimate.Saving? {
        switch work {
        case .report, .check, .newData, .estimate, .defragment: nil
        case .dedupe: figures.dedupe
        case .compress(let level, _): figures.level(level)?.compress
        case .optimize(let level, _): figures.level(level)?.optimize
        }
    }
}

extension Estimate {
    /// With no more volumes than a record may hold, and no more levels than there are.
    func bounded() -> Estimate {
        var estimate = self
        var room = Limits.estimatedVolumes
        estimate.total = total.bounded()
        let kept = qubes.prefix { qube in
            room -= max(qube.volumes.count, 1)
            return room >= 0
        }
        estimate.qubes = kept.map { qube in
            Qube(
                name: qube.name.bounded(), figures: qube.figures.bounded(),
                volumes: qube.volumes.map {
                    Volume(name: $0.name.bounded(), figures: $0.figures.bounded())
                })
        }
        estimate.qubesLeftOut = qubesLeftOut + qubes.count - kept.count
        return estimate
    }
}

extension Estimate.Figures {
    fileprivate func bounded() -> Estimate.Figures {
        var figures = self
        figures.levels = Array(levels.prefix(CompressRequest.levels.count + 1))
        return figures
    }
}
