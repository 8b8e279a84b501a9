// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import SystemCalls
import SystemPackage
import Testing

/// What a process may tie itself with. Each binds a thread for good, and the threads and processes
/// that it starts. So each test ties a thread of its own, and reports from there.
enum Tie: Sendable, CaseIterable {
    /// Landlock alone, where the kernel has it on.
    case landlock
    /// The filter of system calls alone, as on a kernel without Landlock.
    case filter
    /// Both, as a worker is tied.
    case both

    /// Whether the kernel of this machine has Landlock, and of which version.
    static let version: Int? = {
        let outcome = Monitor<Landlock.Outcome??>(nil)
        let isStarted: Void? = try? WorkThread.start {
            try? Privileges.takeNoNew()
            let result = try? Landlock.forbidWriting()
            outcome.withLock { $0 = .some(result) }
        }
        guard isStarted != nil,
            case .enforced(let version)?? = outcome.wait(
                timeoutSeconds: patienceSeconds, until: { $0 })
        else { return nil }
        return version
    }()

    static let reason: Comment = "needs Landlock, which this kernel has not or has switched off"

    /// Those that this kernel has.
    static var all: [Tie] { version == nil ? [.filter] : allCases }
    /// Those of them that the filter is part of.
    static var filters: [Tie] { all.filter { $0 != .landlock } }

    /// What a call fails with that it refuses; of both the filter comes first.
    var refusal: Errno { self == .landlock ? .permissionDenied : .notPermitted }

    /// Ties the calling thread.
    func tie() throws(Errno) {
        try Privileges.takeNoNew()
        if self != .filter, case .unavailable(let reason) = try Landlock.forbidWriting() {
            throw reason
        }
        if self != .landlock { try CallFilter.forbidWriting(in: .thread) }
    }
}

@Suite("Forbidding oneself to write")
struct SandboxTests {
    private typealias Attempt = (name: String, call: @Sendable () throws(Errno) -> Void)

    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("text", to: "file")
        try folder.write("text", to: "other")
    }

    /// Ties a new thread, makes every attempt there and gives their errors.
    private func tied(_ tie: Tie, _ attempts: [Attempt]) throws -> [String: Errno?] {
        let visit = Monitor<[String: Errno?]?>(nil)
        try WorkThread.start {
            var failures: [String: Errno?] = [:]
            failures.updateValue(errno { () throws(Errno) in try tie.tie() }, forKey: "tie")
            for attempt in attempts {
                failures.updateValue(errno(of: attempt.call), forKey: attempt.name)
            }
            visit.withLock { $0 = failures }
        }
        var result = try #require(visit.wait(timeoutSeconds: patienceSeconds) { $0 })
        #expect(result.removeValue(forKey: "tie") == .some(nil), "\(tie)")
        return result
    }

    /// A call of the C library that gives 0, or -1 and errno.
    private func attempt(
        _ name: String, _ call: @escaping @Sendable (FilePath) -> Int32
    ) -> Attempt {
        let path = folder.path
        return (name, { () throws(Errno) in try checked(call(path)) })
    }

    private func opening(_ name: String, _ flags: OpenFlags) -> Attempt {
        let path = folder.path.appending(name)
        return (
            "open \(name) \(flags.rawValue)",
            { () throws(Errno) in _ = try Descriptor.open(path, flags) }
        )
    }

    /// Everything that both ties must refuse.
    private var changes: [Attempt] {
        let directory = folder.shared
        return [
            opening("file", .writeOnly), opening("file", .readWrite),
            opening("new", [.writeOnly, .create]), opening("new", [.readOnly, .create]),
            opening("file", [.readOnly, .truncate]),
            // It could be given a name.
            opening(".", [.readWrite, .temporary]),
            (
                "open beneath for both",
                { () throws(Errno) in
                    _ = try directory.descriptor.open(beneath: "file", .readWrite)
                }
            ),
            attempt("creat") { unsafe creat($0.appending("new").string, 0o600) },
            attempt("mkdir") { unsafe mkdir($0.appending("new").string, 0o700) },
            attempt("mknod") { unsafe mknod($0.appending("new").string, S_IFREG | 0o600, 0) },
            attempt("mkfifo") { unsafe mkfifo($0.appending("new").string, 0o600) },
            attempt("symlink") { unsafe symlink("file", $0.appending("new").string) },
            attempt("link") {
                unsafe link($0.appending("file").string, $0.appending("new").string)
            },
            attempt("rename") {
                unsafe rename($0.appending("other").string, $0.appending("new").string)
            },
            attempt("unlink") { unsafe unlink($0.appending("other").string) },
            (
                "rename an entry",
                { () throws(Errno) in try directory.descriptor.rename(entry: "other", to: "new") }
            ),
            (
                "remove an entry",
                { () throws(Errno) in try directory.descriptor.remove(entry: "other") }
            ),
        ]
    }

    @Test(
        "Nothing can be opened for writing, made, linked, renamed or removed", arguments: Tie.all)
    func forbidden(tie: Tie) throws {
        let before = try folder.shared.descriptor.status()
        let failures = try tied(tie, changes)
        #expect(failures.count == 17)
        for (name, failure) in failures { #expect(failure == tie.refusal, "\(tie): \(name)") }
        #expect(try folder.names() == ["file", "other"])
        #expect(try folder.text(of: "file") == "text")
        #expect(try folder.shared.descriptor.status() == before)
    }

    @Test(
        "Neither can a file be cut by its path",
        arguments: Tie.all.filter { $0 != .landlock || (Tie.version ?? 0) >= 3 })
    func truncation(tie: Tie) throws {
        let failures = try tied(
            tie, [attempt("truncate") { unsafe truncate($0.appending("file").string, 1) }])
        #expect(failures == ["truncate": tie.refusal])
        #expect(try folder.text(of: "file") == "text")
    }

    @Test(
        "The filter refuses as well what changes owner, mode, times or attributes",
        arguments: Tie.filters)
    func attributes(tie: Tie) throws {
        let file = SharedDescriptor(try Descriptor.open(folder.path.appending("file"), .readOnly))
        let before = try file.descriptor.status()
        let number = file.descriptor.rawValue
        let failures = try tied(
            tie,
            [
                attempt("chmod") { unsafe chmod($0.appending("file").string, 0o777) },
                attempt("fchmod") { _ in fchmod(number, 0o777) },
                attempt("chown") { unsafe chown($0.appending("file").string, 0, 0) },
                attempt("fchown") { _ in fchown(number, 0, 0) },
                attempt("utimes") { unsafe utimes($0.appending("file").string, nil) },
                attempt("futimens") { _ in futimens(number, nil) },
            ] + Self.calls(["setxattr": 188, "fsetxattr": 190, "fremovexattr": 199]))
        #expect(failures.count == 9)
        for (name, failure) in failures { #expect(failure == .notPermitted, "\(tie): \(name)") }
        #expect(try file.descriptor.status() == before)
    }

    /// Calls by number, with arguments that are good for none: they fail in any case, but a filter
    /// says so first.
    private static func calls(_ numbers: [String: Int]) -> [Attempt] {
        typealias Call = @convention(c) (Int, Int, Int, Int, Int) -> Int
        guard let symbol = unsafe dlsym(nil, "syscall") else { return [] }
        let call = unsafe unsafeBitCast(symbol, to: Call.self)
        return numbers.map { name, number in
            (name, { () throws(Errno) in _ = try checked(call(number, -1, 0, 0, 0)) })
        }
    }

    @Test(
        "By number as well, and by the older call, the filter lets files be read alone",
        arguments: Tie.filters)
    func otherWaysToOpen(tie: Tie) throws {
        typealias Call = @convention(c) (Int, Int, Int, Int) -> Int
        let symbol = unsafe try #require(dlsym(nil, "syscall"))
        let call = unsafe unsafeBitCast(symbol, to: Call.self)
        let (open, byHandle) = (2, 304)
        let refused = [O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_RDONLY | O_CREAT]
        func attempt(_ flags: Int32, byHandle isByHandle: Bool) -> Attempt {
            (
                "\(isByHandle) \(flags)",
                { () throws(Errno) in
                    // Arguments that are good for none: a filter says so first.
                    let result =
                        isByHandle
                        ? call(byHandle, -1, 0, Int(flags)) : call(open, 0, Int(flags), 0)
                    _ = try checked(result)
                }
            )
        }
        let failures = try tied(
            tie,
            [true, false].flatMap { way in
                (refused + [O_RDONLY]).map { attempt($0, byHandle: way) }
            })
        #expect(failures.count == 10)
        for way in [true, false] {
            for flags in refused {
                #expect(failures["\(way) \(flags)"] == .notPermitted, "\(way) \(flags)")
            }
        }
        #expect(failures["false \(O_RDONLY)"] == .badAddress)
        // The kernel lets root alone open by number.
        if geteuid() == 0 { #expect(failures["true \(O_RDONLY)"] != .notPermitted) }
    }

    @Test("What the filter cannot see through is not there", arguments: Tie.filters)
    func unseen(tie: Tie) throws {
        let failures = try tied(
            tie, Self.calls(["openat2": 437, "io_uring_setup": 425, "of a later kernel": 9999]))
        #expect(failures.count == 3)
        for (name, failure) in failures { #expect(failure == .noFunction, "\(tie): \(name)") }
    }

    @Test(
        "Of requests to a file system, the filter refuses what removes, unshares or marks",
        arguments: Tie.filters)
    func requests(tie: Tie) throws {
        let file = SharedDescriptor(try Descriptor.open(folder.path.appending("file"), .readOnly))
        let number = file.descriptor.rawValue
        typealias Call = @convention(c) (CInt, UInt, Int) -> CInt
        let symbol = unsafe try #require(dlsym(nil, "ioctl"))
        let call = unsafe unsafeBitCast(symbol, to: Call.self)
        // SNAP_DESTROY, DEFRAG, BALANCE_V2, FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR; then FS_INFO,
        // TREE_SEARCH_V2, FIDEDUPERANGE, FS_IOC_GETFLAGS.
        let refused: [UInt] = [0x5000_940f, 0x5000_9402, 0xc400_9420, 0x4008_6602, 0x401c_5820]
        let allowed: [UInt] = [0x8400_941f, 0xc070_9411, 0xc018_9436, 0x8008_6601]
        let failures = try tied(
            tie,
            (refused + allowed).map { request in
                ("\(request)", { () throws(Errno) in try checked(call(number, request, 0)) })
            })
        for request in refused { #expect(failures["\(request)"] == .notPermitted, "\(request)") }
        for request in allowed { #expect(failures["\(request)"] != .notPermitted, "\(request)") }
    }

    @Test("A file that has no name and can get none is still to be had of the filter")
    func nameless() throws {
        let failures = try tied(
            .filter, [opening(".", [.readWrite, .temporary, .exclusive])])
        #expect(failures.count == 1 && failures.values.allSatisfy { $0 == nil })
        #expect(try folder.names() == ["file", "other"])
    }

    @Test("Reading still works, by path and beneath a directory", arguments: Tie.all)
    func reading(tie: Tie) throws {
        let directory = folder.shared
        let path = folder.path
        let failures = try tied(
            tie,
            [
                (
                    "read",
                    { () throws(Errno) in
                        let file = try directory.descriptor.open(beneath: "file", .readOnly)
                        if try file.read(maximumBytes: 9) != Array("text".utf8) { throw .ioError }
                    }
                ),
                (
                    "path",
                    { () throws(Errno) in
                        _ = try Descriptor.open(path.appending("file"), .readOnly)
                    }
                ),
                ("list", { () throws(Errno) in _ = try directory.descriptor.entries() }),
                (
                    "walk",
                    { () throws(Errno) in
                        _ = try directory.descriptor.open(directoryOfSameMount: ".")
                    }
                ),
            ])
        #expect(failures == ["read": nil, "path": nil, "list": nil, "walk": nil])
    }

    @Test("A descriptor that was open before still writes and cuts", arguments: Tie.all)
    func openBefore(tie: Tie) throws {
        let file = SharedDescriptor(try Descriptor.open(folder.path.appending("file"), .writeOnly))
        let failures = try tied(
            tie,
            [
                (
                    "cut",
                    { () throws(Errno) in try file.descriptor.truncate(toBytes: 0) }
                ),
                ("write", { () throws(Errno) in try file.descriptor.write(Array("TEXT".utf8)) }),
            ])
        #expect(failures == ["cut": nil, "write": nil])
        #expect(try folder.text(of: "file") == "TEXT")
    }

    @Test("A child process is bound as well", arguments: Tie.all)
    func child(tie: Tie) throws {
        let script = "echo x > \(folder.path)/made; rm \(folder.path)/other"
        let failures = try tied(tie, [spawning("/bin/sh", ["-c", script], isNot: .exited(0))])
        #expect(failures == ["/bin/sh": nil])
        #expect(try folder.names() == ["file", "other"])
    }

    @Test("Whoever calls with the numbers of another architecture is killed")
    func otherArchitecture() throws {
        // getpid(2) as the x32 variant numbers it.
        let script = "syscall(0x40000000 + 39)"
        let failures = try tied(
            .filter, [spawning("/usr/bin/perl", ["-e", script], is: .killed(signal: SIGSYS))])
        #expect(failures == ["/usr/bin/perl": nil])
        let untied = errno(
            of: spawning("/usr/bin/perl", ["-e", script], is: .exited(0)).call)
        #expect(untied == nil, "without the filter it goes on")
    }

    /// Fails with EIO unless the program ends as it is to.
    private func spawning(
        _ program: String, _ arguments: [String], is wanted: ChildProcess.Ending? = nil,
        isNot unwanted: ChildProcess.Ending? = nil
    ) -> Attempt {
        (
            program,
            { () throws(Errno) in
                let null = try Descriptor.open("/dev/null", .readOnly)
                let ending = try ChildProcess.spawn(
                    executable: program, arguments: arguments, environment: [:],
                    standardInput: null, standardOutput: null
                ).wait()
                if let wanted, ending != wanted { throw .ioError }
                if let unwanted, ending == unwanted { throw .ioError }
            }
        )
    }

    @Test("Threads that were there before are not bound by a thread's ties", arguments: Tie.all)
    func otherThreads(tie: Tie) throws {
        _ = try tied(tie, [])
        try folder.write("changed", to: "file")
        #expect(try folder.text(of: "file") == "changed")
    }

    @Test(
        "Landlock is asked, and its answer is the version",
        .enabled(if: Tie.version != nil, Tie.reason))
    func version() throws { #expect(try #require(Tie.version) >= 1) }
}
