// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol
import SystemPackage

struct SetupCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup",
        abstract: "In dom0, as root: turn on what runs by itself, or take that back.",
        usage: "qvm-btrfs setup [--yes|--dry-run] [--undo] [--admin <qube>]",
        discussion: """
            Shows what check finds and what it would do, and asks. It turns on the service, the \
            weekly optimize, the compression of what is written from now on and the optimize of \
            what is updated, restored or cloned, as far as they are off; --undo turns off what it \
            has turned on, and nothing that was on before. Policy and /etc/fstab are left to you.

            Example: qvm-btrfs setup --dry-run
            """)

    @Flag(help: "Do it without asking.")
    var yes = false

    @Flag(name: .customLong("dry-run"), help: "Show it, and change nothing.")
    var dryRun = false

    @Flag(help: "Take back what setup has done.")
    var undo = false

    @Option(
        help: ArgumentHelp(
            "Print the lines of policy, too, that let this qube work on the qubes it has made.",
            valueName: "qube"))
    var admin: QubeName?

    @Option(
        name: .customLong("system-root"),
        help: ArgumentHelp(
            "Where systemctl and the state lie: for tests and trying it.", valueName: "path",
            visibility: .hidden))
    var systemRoot: PathArgument?

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        if yes && dryRun { throw ValidationError("Either --yes or --dry-run, not both.") }
        if undo && admin != nil {
            throw ValidationError("--undo changes no policy: --admin goes without it.")
        }
        if admin?.text == ServiceClient.machine {
            throw ValidationError("dom0 itself needs no policy.")
        }
        if shared.json && !yes && !dryRun {
            throw ValidationError("--json asks nobody: give --yes or --dry-run with it.")
        }
    }

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        guard context.isRoot, context.isDom0 || systemRoot != nil else {
            let isDom0 = context.isDom0 || systemRoot != nil
            throw .onlyForRootOfDom0(command: "setup", isDom0: isDom0)
        }
        let root = systemRoot?.path ?? "/"
        return try SetupRun(
            context: context, isJSON: shared.json, mayChange: !dryRun, asks: !yes,
            systemctl: Systemctl(program: root.appending("usr/bin/systemctl")),
            store: SetupStore(directory: root.appending("var/lib/qubes-btrfs")),
            policy: admin.map {
                PolicyText(
                    admin: $0, targets: TagName("created-by-\($0.text)").map { [.tag($0)] } ?? [],
                    isReadOnly: false)
            }
        ).run(undo: undo)
    }
}
