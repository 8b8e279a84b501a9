// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// One run of `setup`: looks, shows, asks, does.
struct SetupRun {
    let context: CommandContext
    let isJSON: Bool
    /// Not for `--dry-run`.
    let mayChange: Bool
    /// Not for `--yes`.
    let asks: Bool
    let systemctl: Systemctl
    let store: SetupStore
    let policy: PolicyText?

    /// What `--json` writes.
    private struct Message: Encodable {
        let version = ProtocolVersion.current
        let undo: Bool
        /// In the order in which they are done.
        let steps: [SetupStep]
        /// All steps were done.
        let isDone: Bool
        /// nil where nobody answered.
        let findings: [CheckReport.Finding]?
        /// nil without an admin qube.
        let policy: [String]?
    }

    func run(undo: Bool) throws(ClientError) -> ExitStatus {
        undo ? try takeBack() : try turnOn()
    }

    private func turnOn() throws(ClientError) -> ExitStatus {
        let check = try findings()
        let standings = try systemctl.standings()
        let record = try store.read()
        let steps = SetupPlan.on(standings)
        if !isJSON {
            if let check {
                try context.console.data(SetupLines.findings(check) + [""])
            } else {
                context.console.note(
                    Line(
                        "qvm-btrfs: the service does not answer yet, so that nothing was checked: "
                            + "'qvm-btrfs check' does it afterwards."))
            }
            try context.console.data(
                steps.isEmpty
                    ? ["Nothing is left to be turned on."]
                    : SetupLines.steps(steps, heading: "What setup turns on")
                        + SetupLines.harmless)
            try context.console.data([""] + SetupLines.policy(policy))
        }
        let isDone = try perform(steps, undo: false) { () throws(ClientError) in
            var kept = record ?? SetupRecord()
            kept.add(steps, standings)
            try store.write(kept)
        }
        try tell(steps, undo: false, isDone: isDone, check)
        return .done
    }

    private func takeBack() throws(ClientError) -> ExitStatus {
        guard let record = try store.read() else {
            if isJSON {
                try tell([], undo: true, isDone: true, nil)
            } else {
                try context.console.data(["Nothing is to be taken back: setup has done nothing."])
            }
            return .done
        }
        let steps = SetupPlan.undo(record, try systemctl.standings(unloadedIsOff: true))
        if !isJSON {
            try context.console.data(
                steps.isEmpty
                    ? ["All that setup had turned on is off already."]
                    : SetupLines.steps(steps, heading: "What setup takes back"))
        }
        let isDone = try perform(steps, undo: true) { () throws(ClientError) in }
        // Not before the last step: what fails is still to be taken back.
        if isDone { try store.remove(record) }
        try tell(steps, undo: true, isDone: isDone, nil)
        return .done
    }

    /// Does the steps where it may and somebody says yes.
    /// - Returns: whether they were done.
    private func perform(
        _ steps: [SetupStep], undo: Bool, before: () throws(ClientError) -> Void
    ) throws(ClientError) -> Bool {
        guard mayChange, try isWanted(steps, undo: undo) else { return false }
        if !steps.isEmpty { try before() }
        for step in steps {
            if context.client.interruption.isInterrupted { throw .interrupted }
            context.console.call(Line("Runs \(step.command)."))
            try systemctl.perform(step)
        }
        return true
    }

    private func isWanted(_ steps: [SetupStep], undo: Bool) throws(ClientError) -> Bool {
        guard asks, !steps.isEmpty else { return true }
        guard let answer = context.console.ask("Do this? [y/N] ") else {
            if context.client.interruption.isInterrupted { throw .interrupted }
            throw .unconfirmed(command: "qvm-btrfs setup" + (undo ? " --undo" : ""))
        }
        return ["y", "yes"].contains(answer.lowercased())
    }

    /// What the service finds; nil where it is off, as before the first setup.
    private func findings() throws(ClientError) -> CheckReport? {
        do throws(ClientError) {
            var check = try context.client.check(.machine)
            check.add(context.policyFindings)
            return check
        } catch .unreachable {
            return nil
        } catch {
            throw error
        }
    }

    private func tell(
        _ steps: [SetupStep], undo: Bool, isDone: Bool, _ check: CheckReport?
    ) throws(ClientError) {
        guard !isJSON else {
            return try context.console.raw(
                JSONText.plain(
                    Message(
                        undo: undo, steps: steps, isDone: isDone, findings: check?.findings,
                        policy: policy.map { $0.groups.flatMap(\.lines) })))
        }
        if steps.isEmpty { return }
        let done =
            undo
            ? "that was done, and all is as it was before setup."
            : "that was done. 'qvm-btrfs setup --undo' takes it back."
        context.console.note(Line("qvm-btrfs: \(isDone ? done : "nothing was changed.")"))
    }
}
