// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// A program that runs beside a job.
final class ProgramBeside {
    private let process = Process()

    init(_ words: [String]) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardOutput = FileHandle.nullDevice
        try process.run()
    }

    /// Sends it a signal.
    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Its exit status, when it has ended.
    func wait() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }
}
