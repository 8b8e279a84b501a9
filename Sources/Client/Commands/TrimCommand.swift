// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol
import SystemPackage

struct TrimCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "trim",
        abstract: "Have running qubes give back what they have freed inside.",
        usage: "qvm-btrfs trim <qube> ...|--all|--templates|--by-feature [<options>]",
        discussion: """
            Runs fstrim as root in each: of / and /rw in templates and standalones, of /rw in \
            app qubes; what a disposable writes does not last. In dom0 it goes the way of \
            'qvm-run'; in a qube policy has to allow it ('qvm-btrfs policy --trim' prints the \
            lines), and the count takes ten seconds more. \
            Jobs on a qube hold while it trims. \
            What a qube answers is not shown; what a trim has brought is dom0's own count of \
            before and after. What revisions still hold comes back when they are gone, and not \
            before.

            With --start halted ones are started for it and shut down again, except those that get \
            devices at their start, those that others run from, and those whose net qube does not \
            run. What somebody opens in one meanwhile is shut down with it. It asks before. Ctrl-C \
            shuts down first what was started.

            Example: qvm-btrfs trim work
            """)

    @Argument(help: ArgumentHelp("Qubes by their names.", valueName: "qube"))
    var qubes: [QubeName] = []

    @Flag(help: "All that run, of those that you may see.")
    var all = false

    @Flag(help: "All templates that run.")
    var templates = false

    @Flag(
        name: .customLong("by-feature"),
        help: "All that run and have the feature btrfs.trim, or whose template has it.")
    var byFeature = false

    @Option(
        name: .customLong("exclude"),
        help: ArgumentHelp("Leave this qube out of all; may be given again.", valueName: "qube"))
    var excluded: [QubeName] = []

    @Flag(help: "Start halted ones, and shut them down again.")
    var start = false

    @Flag(help: "Start them without asking.")
    var yes = false

    @Option(
        name: .customLong("time-limit"),
        help: ArgumentHelp(
            "How long a trim may take, and a shutdown after it, as 90s or 10m; 10m unless given.",
            valueName: "time"))
    var limit: TimeSpan?

    @OptionGroup var guests: GuestOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        if [all, templates, byFeature, !qubes.isEmpty].count(where: { $0 }) != 1 {
            throw ValidationError(
                "Say which: names of qubes, --all, --templates or --by-feature, one of them.")
        }
        if !excluded.isEmpty && !qubes.isEmpty {
            throw ValidationError(
                "--exclude leaves qubes out of all: leave names or --exclude out.")
        }
        if qubes.contains(where: { $0.text == ServiceClient.machine }) {
            throw ValidationError(
                "dom0's own file systems are not trimmed by this: fstrim does it there.")
        }
        if yes && !start { throw ValidationError("--yes is for --start.") }
    }

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        var seen: Set<QubeName> = []
        let wish = TrimWish(
            names: qubes.filter { seen.insert($0).inserted }, templatesOnly: templates,
            byFeature: byFeature, exclude: excluded.isEmpty ? nil : excluded.map(\.text),
            starts: start, isSure: yes, limitSeconds: limit?.seconds ?? TrimWish.limitSeconds)
        return try guests.run(wish, context, shared).run()
    }
}

/// How qubes are reached for a trim.
struct GuestOptions: ParsableArguments {
    /// Where Qubes has its sockets in dom0: a test has its own.
    @Option(name: .customLong("qubes-run"), help: .hidden)
    var runFolder: PathArgument?

    /// What trims them.
    func run(_ wish: TrimWish, _ context: CommandContext, _ shared: SharedOptions) -> TrimRun {
        // Where there is a socket of ours there is dom0.
        let isDom0 = context.isDom0 || shared.socket != nil
        var programs = QrexecTransport(environment: context.environment)
        programs.searchPath.append("/usr/lib/qubes")
        let run = runFolder?.path ?? "/run"
        let door = GuestDoor(
            programs: programs, isDom0: isDom0, agents: run.appending("qubes"),
            interruption: context.client.interruption)
        let admin = AdminCalls(
            way: isDom0 ? .socket(run.appending("qubesd.sock")) : .qrexec(programs))
        return TrimRun(
            wish, context, door: door, admin: admin,
            display: TrimDisplay(
                context.console, isJSON: shared.json, isBeforeJob: wish.isBeforeJob))
    }
}
