// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct OptimizeCommand: TimedJobCommand {
    static let configuration = CommandConfiguration(
        commandName: "optimize",
        abstract: "Share equal data and compress the rest, in one pass.",
        usage: "qvm-btrfs optimize [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to \
            leave it running. Every unique byte is read, compressed and written once. Without \
            --level the qube's feature 'btrfs.compress' says, or 3 is taken. 'qvm-btrfs help \
            dedupe' says what may share.

            Several qubes are worked on one after the other, a job each. Without a name it is one \
            job for all that you may see, which finds what they have in common.

            With --trim those of them that run first give back what they have freed inside, as \
            'qvm-btrfs trim' has them do; one that cannot keeps no job from running, and the \
            status is 10 then.

            Example: qvm-btrfs optimize --all --exclude vault
            """)

    @OptionGroup var place: PlaceArguments
    @OptionGroup var packing: LevelOptions
    @OptionGroup var live: RunningOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var power: PowerOptions

    @Flag(help: "First have those that run trim their file systems; never starts one.")
    var trim = false

    @OptionGroup var guests: GuestOptions
    @OptionGroup var shared: SharedOptions

    static let operation = Operation.optimize

    var request: CompressRequest {
        CompressRequest(
            level: packing.level?.number, running: live.running, battery: power.battery,
            riskReadOnly: power.riskReadOnly, exclude: place.exclude)
    }

    func validate() throws {
        try validateTime()
        if trim, let part = place.places.first(where: { $0.isOfMachine && !$0.argument.isEmpty }) {
            throw ValidationError(
                "--trim is for qubes: leave '\(part.text)' or --trim out.")
        }
    }

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        // An end by the clock is the next one from here on, and not from after the trims.
        let budget = time.budget(context.clock)
        guard trim else { return try startJobs(context, within: budget) }
        let trimmed = try trimFirst(context)
        if !shared.json { try context.console.data([""]) }
        let status = try startJobs(context, within: budget)
        return status == .done ? trimmed : status
    }

    /// What is wrong with a trim is said, and is nothing to the job.
    private func trimFirst(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        do throws(ClientError) {
            return try guests.run(trimWish, context, shared).run()
        } catch .interrupted {
            context.console.note(Line("Not begun: the job.", .warning))
            throw .interrupted
        } catch {
            guard error.isOfTrimAlone else { throw error }
            context.console.error("trim: \(context.message(error) ?? "failed")")
            return error.exitStatus
        }
    }

    /// Of the machine all that run; of a qube what was named of it.
    private var trimWish: TrimWish {
        var wish = TrimWish(exclude: place.exclude, isBeforeJob: true)
        if place.calls.contains(.machine) { return wish }
        for call in place.calls {
            guard let name = QubeName(call.target) else { continue }
            let isKnown = wish.names.contains(name)
            if !isKnown { wish.names.append(name) }
            if call.argument.isEmpty {
                wish.volumes[name] = nil
            } else if !isKnown || wish.volumes[name] != nil {
                wish.volumes[name, default: []].insert(call.argument)
            }
        }
        return wish
    }
}

extension ClientError {
    /// Qubes could not be trimmed, and a job may work all the same.
    fileprivate var isOfTrimAlone: Bool {
        if case .noGuestProgram = self { true } else { isOfOnePlace }
    }
}
