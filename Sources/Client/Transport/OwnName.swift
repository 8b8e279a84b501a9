// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// This qube's own name, by the word of the database that dom0 gives to each qube.
enum OwnName {
    /// The program that reads it, of Qubes' package `qubes-db`.
    static let program = "qubesdb-read"
    /// The longest answer that is taken, in bytes.
    private static let limitBytes = 256

    /// nil where nobody says it, as outside of Qubes.
    static func read(_ transport: QrexecTransport) -> QubeName? {
        transport.output(of: program, ["/name"], limitBytes: limitBytes)
            .flatMap { QubeName(String($0.prefix { $0 != "\n" })) }
    }
}
