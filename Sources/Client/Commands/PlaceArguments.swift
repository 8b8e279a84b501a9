// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

/// What a command works on: the machine, or qubes by their names.
struct PlaceArguments: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "Qubes, or volumes as QUBE:VOLUME; 'dom0' or none for all that you may see, "
                + "'dom0:system' for dom0's own files, 'dom0:pool.NAME' for one pool.",
            valueName: "qube"))
    var places: [Place] = []

    @Flag(help: "All that you may see, as without a name.")
    var all = false

    @Option(
        name: .customLong("exclude"),
        help: ArgumentHelp(
            "Leave this qube out of all; may be given again. 'dom0' leaves out its own files.",
            valueName: "qube"))
    var excluded: [QubeName] = []

    /// One call for each, in the order in which they were given.
    var calls: [Place] {
        if places.isEmpty { return [.machine] }
        var seen: Set<Place> = []
        return places.filter { seen.insert($0).inserted }
    }

    /// As requests have it.
    var exclude: [String]? { excluded.isEmpty ? nil : excluded.map(\.text) }

    func validate() throws {
        if all && !places.isEmpty {
            throw ValidationError("Either --all or names of qubes, not both.")
        }
        if let place = places.first(where: { !$0.isOfMachine }), !excluded.isEmpty {
            throw ValidationError(
                "--exclude leaves qubes out of all: leave '\(place.text)' out, or --exclude.")
        }
        try refuseVolumes()
    }

    /// Volumes are not words of their own: what stands behind a name would be a qube.
    private func refuseVolumes() throws {
        let volumes: Set = ["root", "private", "volatile", "kernel", "system"]
        for (qube, word) in zip(places, places.dropFirst())
        where volumes.contains(word.text) && qube.argument.isEmpty {
            throw ValidationError(
                "A volume is written with its qube: '\(qube.text):\(word.text)'. (A qube of the "
                    + "name '\(word.text)' has to come first.)")
        }
    }
}

/// The option of the jobs that running qubes are a question for.
struct RunningOptions: ParsableArguments {
    @Flag(help: "Also work on what only running qubes use.")
    var running = false
}

/// The options of every command that starts a job.
struct JobOptions: ParsableArguments {
    @Flag(name: .customLong("no-wait"), help: "Write the job's id and do not follow it.")
    var noWait = false

    @Flag(help: "Write one line of what came of it, as for a log.")
    var brief = false

    func validate() throws {
        if brief && noWait {
            throw ValidationError("--brief says what came of the job: leave it or --no-wait out.")
        }
    }
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
        parsing: .unconditional,
        help: ArgumentHelp(
            "The zstd level, 1 to 19, or -15 to -1 for fast ones.", valueName: "number"))
    var level: CompressionLevel?
}
