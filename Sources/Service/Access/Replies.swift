// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

// What of each reply its reader may know: judged by types, never by what a text begins with.

extension Report: Readable {
    /// The worker knows what was asked for; that no more gets out is judged here again.
    func redacted(for reader: Reader) -> Report {
        var report = self
        report.qubes.removeAll { !reader.reads(qube: $0.name) }
        for qube in report.qubes.indices {
            for volume in report.qubes[qube].volumes.indices {
                let settings = report.qubes[qube].volumes[volume].settings
                report.qubes[qube].volumes[volume].settings = settings?.redacted(for: reader)
            }
        }
        report.families = sets(families, reader).filter { reader.caller.sees($0.name) }
        report.pools = sets(pools, reader)
        // A group's name may come from a qube that the caller does not see.
        report.groups = reader.caller.isMachine ? sets(groups, reader) : []
        report.fileSystems = reader.isAboutMachine ? reader.usages(fileSystems) : []
        if !reader.caller.isMachine {
            report.machine?.deletedSubvolumes = nil
            report.machine?.deletedSubvolumesBytes = nil
            report.machine?.holders = nil
            report.machine?.holdersBytes = nil
            report.machine?.heldOfQubes = nil
        }
        if !reader.isAboutMachine {
            report.machine = nil
            report.history = nil
        }
        report.problems = reader.problems(problems)
        return report
    }

    /// Without the names of others; what is counted is what was asked for.
    private func sets(_ sets: [QubeSet]?, _ reader: Reader) -> [QubeSet] {
        (sets ?? []).map { set in
            var set = set
            set.qubes.removeAll { !reader.reads(qube: $0) }
            return set
        }.filter { !$0.qubes.isEmpty }
    }
}

extension CheckReport: Readable {
    func redacted(for reader: Reader) -> CheckReport {
        var check = self
        check.findings = reader.findings(findings)
        return check
    }
}

extension NewDataReply: Readable {
    /// It is of the volumes of the one qube that was asked about.
    func redacted(for reader: Reader) -> NewDataReply { self }
}

extension JobAccepted: Readable {
    func redacted(for reader: Reader) -> JobAccepted { self }
}

extension JobHoldEnd: Readable {
    func redacted(for reader: Reader) -> JobHoldEnd { self }
}

extension JobProgress: Readable {
    /// It holds amounts, advice that names nothing, and the qube that is being trimmed.
    func redacted(for reader: Reader) -> JobProgress {
        var progress = self
        if let qube = pacing?.qube, !reader.caller.sees(qube) { progress.pacing?.qube = nil }
        return progress
    }
}

extension JobRecord: Readable {
    /// What stands for a caller that the reader may not know of.
    static let unnamedCaller = ""

    func redacted(for reader: Reader) -> JobRecord {
        var record = self
        let isKnown = caller == QubeName.machine || caller == reader.caller.name
        if !isKnown, !reader.caller.sees(caller) { record.caller = Self.unnamedCaller }
        record.progress = progress?.redacted(for: reader)
        record.result?.problems = reader.problems(result?.problems ?? [])
        record.result?.before = reader.usages(result?.before ?? [])
        record.result?.after = reader.usages(result?.after ?? [])
        if !reader.caller.isMachine {
            record.error = error?.withoutPaths
            // Where else the same content lies, and which devices there are, is dom0's to know.
            let places = (result?.unreadable ?? []).filter { reader.caller.sees($0.qube) }.map {
                var place = $0
                place.copies = nil
                return place
            }
            record.result?.unreadable = places.isEmpty ? nil : places
            record.result?.unreadableCount = places.isEmpty ? nil : UInt64(places.count)
            record.result?.deviceErrors = nil
        }
        if !reader.caller.isMachine {
            record.result?.verification = result?.verification?.ofVolumes {
                reader.caller.sees($0)
            }
        }
        if let estimate = result?.estimate, !reader.caller.isMachine {
            record.result?.estimate?.qubes.removeAll { !reader.caller.sees($0.name) }
            // How many there are that it does not see is none of its business.
            if record.result?.estimate?.qubes.count != estimate.qubes.count {
                record.result?.estimate?.qubesLeftOut = 0
            }
        }
        return record
    }

    /// As a list has it: the figures of each qube are for who asks for the one job.
    func withoutRows() -> JobRecord {
        var record = self
        record.result?.estimate?.qubes = []
        record.result?.verification?.volumes = []
        return record
    }
}

extension JobList: Readable {
    func redacted(for reader: Reader) -> JobList {
        var list = self
        list.jobs = jobs.map { reader.visible($0).withoutRows() }
        return list
    }
}
