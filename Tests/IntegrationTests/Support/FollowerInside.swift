// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import SystemPackage

@testable import Client

/// `qvm-btrfs follow` by its whole command line, in this process, so that it can be handed a clock.
final class FollowerInside {
    private let interruption = Interruption()
    private let status = Monitor<Client.ExitStatus?>(nil)
    private let said = Monitor<[UInt8]>([])

    /// - Parameter words: those behind the program's name.
    init(_ words: [String], clock: MachineClock) {
        let thread = Thread { [interruption, status, said] in
            let console = Console(
                Console.Streams(
                    outputColours: false, errorColours: false, errorColumns: { nil },
                    write: { (_, bytes) throws(Errno) in said.withLock { $0 += bytes } }))
            let program = Program(
                console: console, interruption: interruption, environment: [:], isDom0: true,
                clock: WallClock(machine: clock))
            let end = program.run(words)
            status.withLock { $0 = end }
        }
        // What reads command lines is deep.
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// All that it has said so far.
    var text: String { String(decoding: said.withLock { $0 }, as: UTF8.self) }

    /// Ends it as systemd does.
    /// - Returns: its exit status; nil when it does not end.
    func stop() -> Int32? {
        _ = interruption.interrupt()
        return status.wait(timeoutSeconds: 60) { $0?.rawValue }
    }
}
