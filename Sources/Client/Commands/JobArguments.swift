// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

/// The qube that a command is about, and perhaps one of its volumes.
protocol PlaceArguments {
    /// The target of the call.
    var target: String { get }
    /// The argument of the call.
    var argument: String { get }
}

/// The arguments of commands that change something: the qube has to be named.
struct QubeArguments: ParsableArguments, PlaceArguments {
    @Argument(help: "The qube; 'dom0' for all.", transform: Arguments.qube)
    var qube: QubeName

    @Argument(help: "One volume of it.", transform: Arguments.volume)
    var volume: VolumeName?

    var target: String { qube.text }
    var argument: String { volume?.text ?? "" }
}

/// The arguments of commands that only look: without a qube they are about the machine.
struct QubeOrMachineArguments: ParsableArguments, PlaceArguments {
    @Argument(help: "The qube; 'dom0', or none, for all.", transform: Arguments.qube)
    var qube: QubeName?

    @Argument(help: "One volume of it.", transform: Arguments.volume)
    var volume: VolumeName?

    var target: String { qube?.text ?? ServiceClient.machine }
    var argument: String { volume?.text ?? "" }
}

/// The options of every command that starts a job.
struct JobOptions: ParsableArguments {
    @Flag(help: "Also work on what only running qubes use.")
    var running = false

    @Flag(name: .customLong("no-wait"), help: "Write the job's id and do not follow it.")
    var noWait = false
}

/// The option of the jobs that may run for hours.
struct PowerOptions: ParsableArguments {
    @Flag(help: "Go on while the machine runs on battery.")
    var battery = false

    @Flag(
        name: .customLong("risk-read-only"),
        help: ArgumentHelp(
            "Work although metadata is damaged: the kernel may set the file system read-only, and"
                + " every running qube then loses what it writes. In dom0 alone."))
    var risksReadOnly = false

    /// As requests have it.
    var riskReadOnly: Bool? { risksReadOnly ? true : nil }
}

/// The option of the jobs that compress.
struct LevelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("The zstd level, 1 to 19.", valueName: "number"),
        transform: Arguments.level)
    var level: Int?
}

/// The job that a command is about.
struct JobArguments: ParsableArguments {
    @Argument(help: "The job's id, or its first digits.", transform: Arguments.job)
    var job: JobPrefix

    @Option(
        help: ArgumentHelp(
            "The job's qube.", valueName: "name"),
        transform: Arguments.qube)
    var qube: QubeName?
}

/// A command that says one word to a job, and is done.
protocol WordCommand: ClientCommand {
    /// What it says.
    static var word: WorkerControl { get }
    /// To which job.
    var place: JobArguments { get }
}

extension WordCommand {
    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        let job = try context.client.resolve(place.job, of: place.qube)
        try context.follower(json: shared.json).change(job, Self.word)
        return .done
    }
}
