// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct SparsifyCommand: TimedJobCommand {
    static let configuration = CommandConfiguration(
        commandName: "sparsify",
        abstract: "Make holes of written zeroes and of what was never written.",
        usage: "qvm-btrfs sparsify [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to leave \
            it running. Content, sizes and time stamps of images stay as they are. 'fstrim' in the \
            qube gives back more, and comes first: what was deleted there need not be zeroes.

            It works on images of volumes alone: 'dom0' is all volumes that you may see, and \
            'dom0:system' is refused. What was allocated and never written is left in images of \
            running qubes, whose next write may count on that room.

            Example: qvm-btrfs sparsify work:private
            """)

    @OptionGroup var place: PlaceArguments
    @OptionGroup var live: RunningOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var power: PowerOptions
    @OptionGroup var shared: SharedOptions

    static let operation = Operation.sparsify

    var request: DedupeRequest {
        DedupeRequest(
            running: live.running, battery: power.battery, riskReadOnly: power.riskReadOnly,
            exclude: place.exclude)
    }

    func validate() throws {
        try validateTime()
        if let refusal = Self.operation.refusalOfSystem,
            place.places.contains(where: \.isSystem)
        {
            throw ValidationError(refusal)
        }
    }
}
