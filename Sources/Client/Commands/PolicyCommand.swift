// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct PolicyCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Print the lines of policy that let a qube call the service.",
        usage: "qvm-btrfs policy <admin> --qube <name>|--tag <tag>|--all [<options>]",
        discussion: """
            Nothing is written: put the lines into /etc/qubes/policy.d/30-btrfs.policy in dom0. \
            Lines that stand before them there, or in a file with a lower name, decide first.

            With --trim they are those that 'qvm-btrfs trim' needs beside the others: it runs \
            fstrim as root in the qubes, and has jobs on them hold meanwhile, which is not part of \
            the others.

            Example: qvm-btrfs policy mgmt --tag created-by-mgmt
            """)

    @Argument(help: "The qube that will call.")
    var admin: QubeName

    @Option(
        name: .customLong("qube"),
        help: ArgumentHelp(
            "About this qube, or with 'dom0' the machine; may be given again.",
            valueName: "name"))
    var qubes: [QubeName] = []

    @Option(
        name: .customLong("tag"),
        help: ArgumentHelp("About qubes with this tag; may be given again.", valueName: "tag"))
    var tags: [TagName] = []

    @Flag(help: "About every qube by name, and the machine as a whole.")
    var all = false

    @Flag(name: .customLong("read-only"), help: "Reading alone: no job can be started.")
    var readOnly = false

    @Flag(help: "What a trim needs beside the other lines, and nothing else.")
    var trim = false

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        if admin.text == ServiceClient.machine {
            throw ValidationError("dom0 itself needs no policy.")
        }
        if all && !(qubes.isEmpty && tags.isEmpty) {
            throw ValidationError("Either --all, or --qube and --tag: --all has them in it.")
        }
        if trim && readOnly { throw ValidationError("Either --trim or --read-only, not both.") }
        if trim && targets == [.qube(admin)] {
            throw ValidationError("A qube needs no policy to trim itself: fstrim does it there.")
        }
        if trim && qubes.contains(where: { $0.text == ServiceClient.machine }) {
            throw ValidationError("The machine is not trimmed: name qubes, a tag, or --all.")
        }
        if targets.isEmpty {
            throw ValidationError("Say what it may ask about: --qube, --tag or --all.")
        }
    }

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        let policy = PolicyText(admin: admin, targets: targets, isReadOnly: readOnly, isTrim: trim)
        if shared.json {
            let lines = policy.groups.flatMap(\.lines)
            try context.console.raw(
                JSONText.plain(Message(file: PolicyText.file, lines: lines)))
            return .done
        }
        try context.console.raw(policy.text)
        let path = "/etc/qubes/policy.d/\(PolicyText.file)"
        context.console.note(
            Line(
                "qvm-btrfs: these lines go into dom0's \(path), below lines that should decide "
                    + "first; 'qubes-policy-lint \(path)' checks them."
                    + (trim ? " The others are printed without --trim." : "")))
        return .done
    }

    /// Every qube is all there is to say.
    var targets: [PolicyText.Target] {
        if all { return [.all] }
        return qubes.map { .qube($0) } + tags.map { .tag($0) }
    }

    private struct Message: Encodable {
        var message = "policy"
        let file: String
        let lines: [String]
    }
}
