// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct NewDataCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "new-data",
        abstract: "Say, or set, whether what a qube writes from now on is compressed.",
        usage: "qvm-btrfs new-data <qube> ... [--compress zstd|off|default] [<options>]",
        discussion: """
            --compress sets what images inherit that are made from now on. A qube makes its next \
            image when it stops, and writes to it from the start after that; images that are \
            there stay as they are. 'default' leaves it to the mount options.

            Example: qvm-btrfs new-data work --compress zstd
            """)

    @Argument(help: ArgumentHelp("The qubes.", valueName: "qube"))
    var qubes: [QubeName]

    @Option(
        help: ArgumentHelp("For images made from now on.", valueName: "what"))
    var compress: NewDataSetting?

    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.each(qubes.compactMap { Place($0.text) }) { (place) throws(ClientError) in
            let reply = try context.client.newData(
                target: place.target, request: NewDataRequest(compress: compress))
            if shared.json {
                try context.console.raw(JSONText.plain(reply))
            } else {
                try context.console.data(NewDataLines.all(reply))
            }
            return .done
        }
    }
}
