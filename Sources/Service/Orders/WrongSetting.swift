// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

/// A feature with a value that cannot be, as who has asked may read about it.
struct WrongSetting {
    /// What is wrong, and where; nothing for who may not know that.
    private let fault: String
    private let about: Subject
    private let message: String
    /// The command of dom0 that mends it; nil for who may not know where it is set.
    private let command: String?
    private let isOfTrim: Bool

    /// Named once, at the qube that has the feature: a default of dom0, or what a template says,
    /// counts for others as well. Where nobody has asked about that one, it is named at each for
    /// which it counts. A caller that may not know of it learns which of those it sees is left
    /// alone.
    /// - Parameter isAsked: the qube that has the feature is among what was asked about.
    fileprivate init(
        _ error: SettingsError, of qube: Qube, for caller: Caller, isAsked: (String) -> Bool
    ) {
        isOfTrim = error.feature == .trim
        let consequence = isOfTrim ? "The weekly run does not trim" : "Jobs leave"
        let end = isOfTrim ? "" : " alone"
        guard caller.sees(error.qube) else {
            fault = ""
            about = .qube(qube.name)
            message =
                "\(consequence) it\(end): a feature that counts for it, of a qube that is not"
                + " visible to the caller, has a value that cannot be. dom0 can correct it."
            command = nil
            return
        }
        let isElsewhere = error.qube != qube.name && isAsked(error.qube)
        let who = isElsewhere ? "every qube for which this counts" : "it"
        fault = error.fault
        if qube.kind == Qube.adminKind || (isElsewhere && error.qube == Qube.adminName) {
            about = .machine
        } else {
            about = .qube(isElsewhere ? error.qube : qube.name)
        }
        message = "\(consequence) \(who)\(end): \(fault)"
        command = error.command
    }

    /// It is about the same.
    fileprivate func says(theSameAs other: Self) -> Bool {
        fault == other.fault && about == other.about
    }

    /// As reports and results have it: in one sentence.
    var problem: Report.Problem {
        Report.Problem(about, command.map { "\(message): \($0)" } ?? message)
    }

    /// As a check has it.
    var finding: CheckReport.Finding {
        CheckReport.Finding(
            .problem, "feature", about: about, message,
            reason: "What a feature means cannot be guessed, so that "
                + (isOfTrim ? "nothing is trimmed by it." : "jobs do nothing."),
            command: command)
    }
}

extension OrderMaker {
    /// The features that count for what was asked about, and mean nothing.
    /// - Parameter withSystem: dom0's own files are among it.
    func wrongSettings(withSystem: Bool) -> [WrongSetting] {
        wrong(withSystem) { target.inventory.settingErrors(of: $0) }
    }

    /// The same of what no job goes by: whether the weekly run trims.
    var wrongTrims: [WrongSetting] {
        wrong(true) { target.inventory.trimError(of: $0).map { [$0] } ?? [] }
    }

    private func wrong(
        _ withSystem: Bool, _ errors: (Qube) -> [SettingsError]
    ) -> [WrongSetting] {
        var wrong: [WrongSetting] = []
        func look(at qube: Qube) {
            for error in errors(qube) {
                let setting = WrongSetting(
                    error, of: qube, for: target.caller, isAsked: isAsked(about:))
                if wrong.count < Limits.namedItems,
                    !wrong.contains(where: { $0.says(theSameAs: setting) })
                {
                    wrong.append(setting)
                }
            }
        }
        for qube in target.inventory.qubes where !selectedVolumes(of: qube).isEmpty {
            look(at: qube)
        }
        if withSystem, let admin = systemQube { look(at: admin) }
        return wrong
    }

    private func isAsked(about name: String) -> Bool {
        if name == Qube.adminName { return target.qube == nil }
        return target.inventory.qube(named: name).map { !selectedVolumes(of: $0).isEmpty } ?? false
    }

    /// Dom0's feature for new data, which no job reads, where it means nothing.
    var wrongNewData: [CheckReport.Finding] {
        guard systemQube != nil, !target.inventory.hasUnknownDefaults else { return [] }
        do throws(SettingsError) {
            _ = try target.inventory.newDataLevel()
            return []
        } catch {
            return [
                CheckReport.Finding(
                    .problem, "feature", about: .machine, error.fault,
                    reason: "qubes-btrfs-compress.service fails when it is started, so that new"
                        + " data is not compressed by it.",
                    command: error.command)
            ]
        }
    }
}
