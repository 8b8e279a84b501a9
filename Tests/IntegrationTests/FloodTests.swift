// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import TestSupport
import Testing

/// One qube holds as many connections as it can, and goes on to. `make abuse` does so for two
/// minutes, and demands answers within two seconds; here it takes seconds, and answers may be late.
@Suite("A flood of connections", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct FloodTests {
    static let connections = 300

    /// How long each flood lasts, and how long an answer may take, in seconds.
    static let seconds = number("FLOOD_SECONDS", else: 3)
    static let answerSeconds = number("FLOOD_ANSWER_SECONDS", else: 30)

    private static func number(_ name: String, else standard: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? standard
    }

    /// Holds so many connections, says these bytes on each, and makes another where one was ended.
    /// A program of its own, as each qube's qrexec daemon is.
    private static let flooder = """
        use strict; use Socket; $SIG{PIPE} = 'IGNORE';
        my ($path, $count, $seconds, $bytes) = @ARGV;
        $bytes =~ tr/~/\\0/;
        my $end = time + $seconds; my @held; my $made = 0;
        sub another {
            socket(my $s, PF_UNIX, SOCK_STREAM, 0) or return;
            connect($s, sockaddr_un($path)) or return;
            syswrite($s, $bytes) if length $bytes; $made++; return $s;
        }
        while (time < $end) {
            while (@held < $count) { my $s = another() or last; push @held, $s; }
            my $bits = ''; vec($bits, fileno($_), 1) = 1 for @held;
            select(my $ready = $bits, undef, undef, 0.05);
            @held = grep { !vec($ready, fileno($_), 1) || sysread($_, my $x, 65536) } @held;
        }
        print "$made\\n";
        """

    private func flood(_ daemon: DaemonRun, saying bytes: String) throws -> (Process, Pipe) {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // Below a shell of its own, as each qube's calls are below a qrexec daemon of its own.
        process.arguments = [
            "-c", "perl -e \"$@\"; exit", "sh", Self.flooder, daemon.socket.string,
            "\(Self.connections)", "\(Self.seconds)",
            bytes,
        ]
        process.standardOutput = output
        try process.run()
        return (process, output)
    }

    /// A call that is answered as soon as it has to be.
    private func jobs(_ daemon: DaemonRun, from source: String) throws -> JobList {
        let connection = try UnixSocket.connect(
            daemon.socket, timeoutSeconds: Self.answerSeconds)
        let header = CallHeader(
            service: "btrfs.job.List", argument: "", source: source, target: .name("dom0"))
        QrexecCall.send(header.encoded(), on: connection)
        try connection.shutdownWriting()
        let answer = try connection.readToEnd(limitBytes: Limits.replyBytes) ?? []
        return try DaemonRun.reply(answer, as: JobList.self)
    }

    @Test(
        "While one qube holds all it can, dom0 and another qube are answered",
        arguments: [
            "", "btrfs.job.List+ mgmt na", "btrfs.job.List+ mgmt name dom0~",
        ])
    func answered(bytes: String) throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let daemon = try DaemonRun(on: fileSystem)
        // A NUL, for which a tilde stands here, would end an argument of a program.
        let (process, output) = try flood(daemon, saying: bytes)
        defer { process.terminate() }
        var calls = 0
        while process.isRunning {
            _ = try jobs(daemon, from: "work")
            let own = try daemon.client("jobs", "--json")
            #expect(own.status == 0, "\(own.errors)")
            calls += 1
        }
        let made = String(
            decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(calls > 0)
        // It had them, and had to make many of them again.
        #expect((Int(made.trimmingCharacters(in: .newlines)) ?? 0) >= Self.connections)
        #expect(daemon.isRunning)
    }
}
