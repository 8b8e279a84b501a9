// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

// What a worker says ends up in history and in lists of many jobs: no single result may be large.

extension JobResult {
    /// With no more than `Limits.namedItems` of anything.
    func bounded() -> JobResult {
        var result = self
        result.before = Array(before.prefix(Limits.namedItems)).map { $0.bounded() }
        result.after = Array(after.prefix(Limits.namedItems)).map { $0.bounded() }
        result.leftAlone = Array(leftAlone.prefix(Limits.namedItems)).map {
            var kind = $0
            kind.reason = $0.reason.bounded()
            return kind
        }
        result.problems = Array(problems.prefix(Limits.namedItems)).map {
            var problem = $0
            problem.subject = $0.subject.bounded()
            problem.message = $0.message.bounded()
            problem.about = $0.about?.bounded()
            return problem
        }
        result.unreadable = unreadable.map { $0.prefix(Limits.namedItems).map { $0.bounded() } }
        result.deviceErrors = deviceErrors.map { $0.prefix(Limits.namedItems).map { $0.bounded() } }
        result.estimate = estimate?.fitting()
        result.verification = verification?.fitting()
        return result
    }
}

extension UnreadablePlace {
    fileprivate func bounded() -> UnreadablePlace {
        var place = self
        place.qube = qube.bounded()
        place.volume = volume.bounded()
        place.image = image.bounded()
        place.copies = copies.map { $0.prefix(Limits.namedCopies).map { $0.bounded() } }
        return place
    }
}

extension DeviceErrorCounts {
    fileprivate func bounded() -> DeviceErrorCounts {
        var counts = self
        counts.device = device.bounded()
        return counts
    }
}

extension JobProgress {
    /// With no long text in it.
    func bounded() -> JobProgress {
        var progress = self
        progress.pacing?.advice = pacing?.advice?.bounded()
        return progress
    }
}

extension FileSystemUsage {
    fileprivate func bounded() -> FileSystemUsage {
        var usage = self
        usage.pools = pools.prefix(Limits.namedItems).map { $0.bounded() }
        usage.mountOptions = mountOptions.map {
            $0.prefix(Limits.namedItems).map { $0.bounded() }
        }
        return usage
    }
}
