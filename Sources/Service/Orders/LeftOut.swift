// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

/// What of qubes.xml cannot be read: who is told, and what a worker must leave alone for it.
extension Target {
    /// For dom0 all of it, whatever the call is about. To others a qube that cannot be read is as
    /// unknown as one that is not there; of a qube that they see they learn that a volume is left.
    var leftOutProblems: [Report.Problem] {
        if caller.isMachine {
            let all = inventory.leftOut
            // A reply has room for what its worker says, too.
            var problems = all.prefix(Limits.namedItems / 2).map {
                Report.Problem(
                    subject: $0.subject,
                    message: "It is left out, and its files are left alone: \($0.error). qvm-btrfs"
                        + " check says what to do.")
            }
            if all.count > problems.count {
                problems.append(
                    Report.Problem(
                        subject: Qube.adminName,
                        message: "\(all.count - problems.count) more things in qubes.xml cannot be"
                            + " read and are left out."))
            }
            return problems
        }
        let qubes = inventory.leftOut.filter { $0.kind == .volume }.compactMap(\.qube)
        return Set(qubes).filter { caller.sees($0) }.sorted().prefix(Limits.namedItems).map {
            Report.Problem(
                .qube($0),
                "A volume of it is left out, since what dom0's qubes.xml says of it cannot"
                    + " be read. dom0 can correct it.")
        }
    }

    /// dom0's own folders, but for those where images of a pool may lie whose place nobody knows.
    var certainSystemDirectories: [String] {
        guard inventory.protection.hasUnknownPlaces else { return systemDirectories }
        return systemDirectories.filter { !$0.hasSuffix("/srv") }
    }
}

extension LeftOut {
    /// As a reply names it.
    fileprivate var subject: String { qube ?? error.subject }

    fileprivate var finding: CheckReport.Finding {
        CheckReport.Finding(
            .problem, "qubes.xml", subject,
            "It is left out, and its files are left alone: \(error).",
            reason: "Whose they are, and which features count for them, cannot be guessed.",
            command: command)
    }
}

extension Inventory {
    /// With the pools that are left out: nobody takes what lies there for files of dom0's.
    var knownPools: [WorkerOrder.Pool] {
        workablePools
            + protection.pools.map {
                WorkerOrder.Pool(name: $0.name, directory: $0.directory ?? "")
            }
    }

    /// The volumes of what is left out, as those of a qube with `btrfs.skip`.
    var protectedVolumes: [WorkerOrder.Volume] {
        protection.volumes.map {
            WorkerOrder.Volume(
                qube: $0.owner, qubeKind: "", name: "left out", pool: $0.pool,
                volumeIdentifier: $0.identifier, selected: false, skipped: true, isVolatile: false,
                compressionLevel: nil, dedupeGroup: "left out:\($0.pool):\($0.identifier)")
        }
    }
}

extension OrderMaker {
    /// What a check says besides what its worker finds, but for what is as it should be.
    func findings() -> [CheckReport.Finding] {
        let leftOut =
            target.caller.isMachine
            ? target.inventory.leftOut.prefix(Limits.namedItems).map(\.finding)
            : target.leftOutProblems.map { CheckReport.Finding("qubes.xml", $0) }
        let wrong = wrongSettings(withSystem: true) + wrongTrims
        return leftOut + wrong.map(\.finding) + wrongNewData
    }
}

extension CheckReport.Finding {
    /// A problem as a finding.
    fileprivate init(_ topic: String, _ problem: Report.Problem) {
        self.init(.problem, topic, problem.subject, problem.message)
        about = problem.about
    }
}
