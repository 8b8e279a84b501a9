// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// One run of a oneshot unit by the lines of its file, with the programs of this build: what it
/// wants comes first where it comes after that, and a status that is not in the file fails it.
final class UnitRun {
    /// Where the test has what a unit finds on a machine.
    struct Places {
        /// The service's socket.
        let socket: String
        /// A folder with qubesd's socket in it, in place of `/run`.
        let runFolder: String
        let qubesdSocket: String
        let stateDirectory: String
    }

    let file: UnitFile
    private let process = Process()
    private let output = Pipe()
    private let errors = Pipe()

    /// Starts it.
    init(_ file: UnitFile, _ places: Places) throws {
        self.file = file
        let after = Set(file.words("After"))
        for name in file.words("Wants") where name.hasSuffix(".service") && after.contains(name) {
            // Whatever becomes of it, this one begins.
            _ = try UnitRun(UnitFile(name), places).end()
        }
        let words = try Self.words(file, places)
        process.executableURL = URL(fileURLWithPath: Command.program("qvm-btrfs"))
        process.arguments = words
        process.standardOutput = output
        process.standardError = errors
        try process.run()
    }

    deinit { process.terminate() }

    /// The words behind the program's name, with where this test has its sockets.
    static func words(_ file: UnitFile, _ places: Places) throws -> [String] {
        let words = try file.value("ExecStart").split(separator: " ").map(String.init)
        try #require(words.first == "/usr/bin/qvm-btrfs")
        let own =
            switch words.dropFirst().first {
            case "follow": ["--qubesd-socket", places.qubesdSocket]
            case "trim": ["--qubes-run", places.runFolder]
            default: [String]()
            }
        return Array(words.dropFirst()) + own + ["--socket", places.socket]
    }

    /// Its condition holds.
    static func mayStart(_ file: UnitFile, _ places: Places) -> Bool {
        file.values("ConditionPathExists").allSatisfy {
            FileManager.default.fileExists(
                atPath: $0.replacingOccurrences(
                    of: "/var/lib/qubes-btrfs", with: places.stateDirectory))
        }
    }

    var isActive: Bool { process.isRunning }

    /// Has it end as systemd does at a shutdown.
    func terminate() { process.terminate() }

    /// What came of it, once it has ended.
    struct Ending {
        let status: Int32
        /// The unit is one that `systemctl --failed` lists.
        let hasFailed: Bool
        let output: String
        let errors: String
    }

    func end() throws -> Ending {
        let limit = ContinuousClock.now + .seconds(60)
        while process.isRunning {
            try #require(ContinuousClock.now < limit, "\(file.name) does not end")
            usleep(10_000)
        }
        func text(_ pipe: Pipe) throws -> String {
            String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        }
        let status = process.terminationStatus
        let isFine = status == 0 || file.words("SuccessExitStatus").contains("\(status)")
        return Ending(
            status: status, hasFailed: !isFine, output: try text(output), errors: try text(errors))
    }
}
