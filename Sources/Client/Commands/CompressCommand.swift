// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct CompressCommand: TimedJobCommand {
    static let configuration = CommandConfiguration(
        commandName: "compress",
        abstract: "Compress a qube's images; what is shared stays shared.",
        usage: "qvm-btrfs compress [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to leave \
            it running. Without --level the qube's feature 'btrfs.compress' says, or 3 is taken.

            With --plain it is the other way round: what is compressed is written as it is, where \
            no qube but these uses it, and takes more. To keep it so set the feature \
            'btrfs.compress' of these qubes to 'off', or the next job compresses it again.

            Several qubes are worked on one after the other, a job each.

            Example: qvm-btrfs compress work personal:private --level 9
            """)

    @OptionGroup var place: PlaceArguments
    @OptionGroup var packing: LevelOptions

    @Flag(help: "Write what is compressed as it is; it takes more then.")
    var plain = false

    @OptionGroup var live: RunningOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var power: PowerOptions
    @OptionGroup var shared: SharedOptions

    static let operation = Operation.compress

    func validate() throws {
        try validateTime()
        if plain, packing.level != nil {
            throw ValidationError("Either --plain or --level, not both.")
        }
    }

    var request: CompressRequest {
        CompressRequest(
            level: plain ? CompressRequest.plainLevel : packing.level?.number,
            running: live.running, battery: power.battery,
            riskReadOnly: power.riskReadOnly, exclude: place.exclude)
    }
}
