// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct VerifyCommand: JobCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Compare images with digests of before: see that no byte has changed.",
        usage: "qvm-btrfs verify [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            The first run takes a digest (SHA-256) of each image; every later one reads all of \
            them from the disk again and compares. It changes no image, and takes as long as \
            reading takes. Run it before and after jobs, or every week.

            Each image is 'equal'; 'written' to since, by its qube or you, and taken anew; 'new'; \
            'in use' by a running qube, and not compared; 'unreadable'; or DIFFERENT: nobody wrote \
            to it, by its time stamps, and it holds other bytes. That is said each time until \
            --accept, with status 12, and what to do.

            Example: qvm-btrfs verify work
            """)

    @OptionGroup var place: PlaceArguments
    @Flag(
        help: ArgumentHelp(
            "In dom0: keep what is DIFFERENT in the named qubes as it is now, and say it no more."))
    var accept = false
    @Flag(help: "Go on while the machine runs on battery.")
    var battery = false
    @OptionGroup var job: JobOptions
    @OptionGroup var shared: SharedOptions

    static let operation = Operation.verify

    var request: VerifyRequest {
        VerifyRequest(accept: accept, battery: battery, exclude: place.exclude)
    }

    func validate() throws {
        if accept, place.calls.contains(where: \.isOfMachine) {
            throw ValidationError(
                "--accept takes the names of the qubes that you have looked after, not all.")
        }
        if let refusal = Self.operation.refusalOfSystem,
            place.places.contains(where: \.isSystem)
        {
            throw ValidationError(refusal)
        }
    }
}
