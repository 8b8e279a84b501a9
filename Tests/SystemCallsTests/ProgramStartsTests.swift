// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemPackage
import Testing

@testable import SystemCalls

@Suite("Programs that are started", .enabled(if: geteuid() == 0, "needs root"))
struct ProgramStartsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func program(_ name: String) throws -> String {
        let path = folder.path.appending(name).string
        try FileManager.default.copyItem(atPath: "/bin/sleep", toPath: path)
        return path
    }

    private func start(_ path: String) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = ["0"]
        try process.run()
        process.waitUntilExit()
        return process.processIdentifier
    }

    @Test("Each start is told once, with the process, and of no other program")
    func starts() throws {
        let first = try program("first")
        let second = try program("second")
        let other = try program("other")
        let starts = try ProgramStarts(
            of: [FilePath(first), FilePath(second), folder.path.appending("none")])
        #expect(starts.processes() == [])
        let expected = [try start(first), try start(second), try start(first)]
        _ = try start(other)
        // To read it is not to start it.
        _ = try Data(contentsOf: URL(fileURLWithPath: first))
        #expect(starts.processes() == expected)
        #expect(starts.processes() == [])
    }

    @Test("More than one read holds, and no descriptor is left open")
    func many() throws {
        let path = try program("often")
        let starts = try ProgramStarts(of: [FilePath(path)])
        func open() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
                let target = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/self/fd/" + $0)
                return target == path
            }.count
        }
        for _ in 0..<70 { _ = try start(path) }
        #expect(starts.processes().count == 70)
        #expect(try open() == 0)
    }

    @Test("Of no program there is nothing to tell")
    func none() {
        #expect(throws: Errno.noSuchFileOrDirectory) {
            _ = try ProgramStarts(of: [folder.path.appending("none")])
        }
    }

    @Test("What the kernel had no room for is told, too")
    func overflow() {
        // struct fanotify_event_metadata: 24 bytes, FAN_Q_OVERFLOW, no file, no process.
        let lost: [UInt8] =
            [24, 0, 0, 0, 3, 0, 24, 0] + [0, 0x40, 0, 0, 0, 0, 0, 0]
            + [0xff, 0xff, 0xff, 0xff] + [0, 0, 0, 0]
        #expect(
            ProgramStarts.events(lost + lost)
                == Array(repeating: .init(file: -1, process: 0, isOverflow: true), count: 2))
        #expect(ProgramStarts.events(Array(lost.prefix(23))) == [])
        #expect(ProgramStarts.events([23] + lost.dropFirst()) == [])
    }
}
