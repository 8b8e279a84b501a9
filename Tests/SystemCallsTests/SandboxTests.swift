// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import SystemCalls
import SystemPackage
import Testing

/// Landlock binds a thread for good, and the threads and processes that it starts. So each test
/// goes into it on a thread of its own, and reports from there.
@Suite("Forbidding oneself to write")
struct SandboxTests {
    /// What a thread in the sandbox brings back.
    private struct Visit: Sendable {
        var outcome: Sandbox.Outcome?
        var failures: [String: Errno?] = [:]
    }

    private typealias Attempt = (name: String, call: @Sendable () throws(Errno) -> Void)

    private static let version: Int? = {
        let outcome = Monitor<Sandbox.Outcome??>(nil)
        let isStarted: Void? = try? WorkThread.start {
            let result = try? Sandbox.forbidWriting(exceptBeneath: [])
            outcome.withLock { $0 = .some(result) }
        }
        guard isStarted != nil,
            case .enforced(let version)?? = outcome.wait(
                timeoutSeconds: patienceSeconds, until: { $0 })
        else { return nil }
        return version
    }()

    private static let noLandlock: Comment = "this kernel has no Landlock"

    let outside: TemporaryFolder
    let scratch: TemporaryFolder

    init() throws {
        outside = try TemporaryFolder()
        scratch = try TemporaryFolder()
        for folder in [outside, scratch] {
            try folder.write("text", to: "file")
            try folder.write("text", to: "other")
        }
    }

    /// Enters the sandbox on a new thread, makes every attempt there and gives their errors.
    private func inSandbox(_ attempts: [Attempt]) throws -> [String: Errno?] {
        let visit = Monitor<Visit?>(nil)
        let allowed = [scratch.shared]
        try WorkThread.start {
            var mine = Visit()
            mine.outcome = try? Sandbox.forbidWriting(exceptBeneath: allowed)
            for attempt in attempts {
                mine.failures.updateValue(errno(of: attempt.call), forKey: attempt.name)
            }
            visit.withLock { $0 = mine }
        }
        let result = try #require(visit.wait(timeoutSeconds: patienceSeconds) { $0 })
        let version = try #require(Self.version)
        #expect(result.outcome == .enforced(version: version))
        return result.failures
    }

    /// Everything that changes a file or a directory, tried in one folder.
    private func changes(in folder: TemporaryFolder) -> [Attempt] {
        let path = folder.path
        let directory = folder.shared
        return [
            (
                "open for writing",
                { () throws(Errno) in _ = try Descriptor.open(path.appending("file"), .writeOnly) }
            ),
            (
                "open beneath for both",
                { () throws(Errno) in
                    _ = try directory.descriptor.open(beneath: "file", .readWrite)
                }
            ),
            (
                "make",
                { () throws(Errno) in
                    _ = try Descriptor.open(path.appending("new"), [.writeOnly, .create])
                }
            ),
            (
                "make nameless",
                { () throws(Errno) in _ = try Descriptor.open(path, [.readWrite, .temporary]) }
            ),
            (
                "make a directory",
                { () throws(Errno) in
                    try directory.descriptor.makeDirectory("directory", mode: 0o700)
                }
            ),
            (
                "rename",
                { () throws(Errno) in
                    try directory.descriptor.rename(entry: "other", to: "renamed")
                }
            ),
            (
                "remove",
                { () throws(Errno) in try directory.descriptor.remove(entry: "file") }
            ),
        ]
    }

    @Test(
        "Outside, nothing can be opened for writing, made, renamed or removed",
        .enabled(if: SandboxTests.version != nil, SandboxTests.noLandlock))
    func forbidden() throws {
        let failures = try inSandbox(changes(in: outside))
        #expect(failures.count == 7)
        for (name, failure) in failures { #expect(failure == .permissionDenied, "\(name)") }
        #expect(try outside.names() == ["file", "other"])
        #expect(try outside.text(of: "file") == "text")
    }

    @Test(
        "Beneath the given directory all of it works",
        .enabled(if: SandboxTests.version != nil, SandboxTests.noLandlock))
    func allowed() throws {
        let failures = try inSandbox(changes(in: scratch))
        #expect(failures.count == 7)
        for (name, failure) in failures { #expect(failure == nil, "\(name)") }
        #expect(try scratch.names() == ["directory", "new", "renamed"])
    }

    @Test(
        "A file outside cannot be cut by its path, one beneath can",
        .enabled(if: (SandboxTests.version ?? 0) >= 3, "this Landlock does not know truncate"))
    func truncate() throws {
        let paths = [outside.path.appending("file"), scratch.path.appending("file")]
        let attempts: [Attempt] = paths.enumerated().map { index, path in
            (
                "\(index)",
                { () throws(Errno) in _ = try checked(unsafe Glibc.truncate(path.string, 1)) }
            )
        }
        let failures = try inSandbox(attempts)
        #expect(failures == ["0": .permissionDenied, "1": nil])
        #expect(try outside.text(of: "file") == "text")
        #expect(try scratch.text(of: "file") == "t")
    }

    @Test(
        "Outside, reading still works",
        .enabled(if: SandboxTests.version != nil, SandboxTests.noLandlock))
    func reading() throws {
        let directory = outside.shared
        let failures = try inSandbox([
            (
                "read",
                { () throws(Errno) in
                    let file = try directory.descriptor.open(beneath: "file", .readOnly)
                    if try file.read(maximumBytes: 9) != Array("text".utf8) { throw .ioError }
                }
            ),
            ("list", { () throws(Errno) in _ = try directory.descriptor.entries() }),
        ])
        #expect(failures == ["read": nil, "list": nil])
    }

    @Test(
        "A descriptor that was open before still writes",
        .enabled(if: SandboxTests.version != nil, SandboxTests.noLandlock))
    func openBefore() throws {
        let file = SharedDescriptor(
            try Descriptor.open(outside.path.appending("file"), .writeOnly))
        let failures = try inSandbox([
            ("write", { () throws(Errno) in try file.descriptor.write(Array("TEXT".utf8)) })
        ])
        #expect(failures == ["write": nil])
        #expect(try outside.text(of: "file") == "TEXT")
    }

    @Test(
        "A child process is bound as well",
        .enabled(if: SandboxTests.version != nil, SandboxTests.noLandlock))
    func child() throws {
        let script = "echo x > \(scratch.path)/made; echo x > \(outside.path)/made"
        _ = try inSandbox([
            (
                "spawn",
                { () throws(Errno) in
                    let null = try Descriptor.open("/dev/null", .readOnly)
                    let ending = try ChildProcess.spawn(
                        executable: "/bin/sh", arguments: ["-c", script], environment: [:],
                        standardInput: null, standardOutput: null
                    ).wait()
                    if ending == .exited(0) { throw .ioError }
                }
            )
        ])
        #expect(try scratch.names() == ["file", "made", "other"])
        #expect(try outside.names() == ["file", "other"])
    }

    @Test(
        "Threads that were there before are not bound",
        .enabled(if: SandboxTests.version != nil, SandboxTests.noLandlock))
    func otherThreads() throws {
        _ = try inSandbox([])
        try outside.write("changed", to: "file")
        #expect(try outside.text(of: "file") == "changed")
    }
}
