// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct CheckCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look whether dom0 and the images are fit, and say what to mend.",
        usage: "qvm-btrfs check [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            Without a name, or with 'dom0': kernel, file system, mount options, loop devices, \
            room, and all images that you may see; in dom0 the lines of policy, too. With names: \
            the images of these qubes alone, and what features say of them. Nothing is changed.

            Exit status: 0 when all is well or only worth knowing, 7 when something should be \
            mended.

            Example: qvm-btrfs check
            """)

    @OptionGroup var place: PlaceArguments
    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.each(place.calls) { (place) throws(ClientError) in
            var check = try context.client.check(place, exclude: self.place.exclude)
            if place == .machine { check.add(context.policyFindings) }
            if shared.json {
                try context.console.raw(JSONText.plain(check))
            } else {
                try context.separate(place, in: self.place.calls)
                try context.console.data(CheckLines.lines(check))
            }
            return check.wantsAction ? .findings : .done
        }
    }
}

extension CommandContext {
    /// What dom0's policy says of callers: dom0 alone can read it.
    var policyFindings: [CheckReport.Finding] {
        guard isDom0 else { return [] }
        let files = PolicyFolder.files(policyFolders)
        return files.isEmpty ? [] : PolicyReview(PolicyRules(files)).findings
    }
}

extension CheckReport {
    /// More findings, each among those as bad.
    mutating func add(_ more: [Finding]) {
        let order: [Finding.Level] = [.problem, .warning, .note, .good]
        let all = findings + more
        // What this release has no word for may be the worst of all.
        findings =
            all.filter(\.level.isUnknown)
            + order.flatMap { level in all.filter { $0.level == level } }
    }
}
