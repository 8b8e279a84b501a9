// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import TestSupport

/// What lies between a qube and the daemon: `qrexec-client-vm` in the qube, and dom0's policy,
/// which decides by the same rules as qrexec. An allowed call reaches the daemon's socket as qrexec
/// makes it; a refused one ends `qrexec-client-vm` with 126. Our client runs as a process, as in
/// a qube.
final class QrexecStandIn {
    /// The qubes that there are, with their tags.
    typealias Qubes = [String: [String]]

    /// Where `qrexec-client-vm` is, and what tells a qube its name.
    private let folder: String
    private let listener: SharedDescriptor

    /// - Parameters:
    ///   - caller: the qube in which the client runs.
    ///   - qubes: what policy knows of; a target that is not among them becomes `@default`.
    ///   - folder: of a test, for the programs and the socket.
    ///   - qubesd: where calls of the Admin API go.
    ///   - guest: runs a service of a qube, and gives its exit status.
    init(
        caller: String, policy: Policy, qubes: Qubes, daemon: FilePath, folder: String,
        qubesd: FilePath? = nil,
        guest: (@Sendable (_ qube: String, _ service: String) -> Int32)? = nil
    ) throws {
        // A qube's program may be gone before all of an answer is there.
        Signals.ignoreBrokenPipes()
        self.folder = folder + "/qube-\(caller)"
        try FileManager.default.createDirectory(
            atPath: self.folder, withIntermediateDirectories: true)
        let path = self.folder + "/qrexec.sock"
        let listener = SharedDescriptor(try UnixSocket.listen(FilePath(path), mode: 0o600))
        self.listener = listener
        try Self.script(
            self.folder + "/qrexec-client-vm",
            """
            #!/usr/bin/perl
            use strict; use IO::Socket::UNIX;
            my $s = IO::Socket::UNIX->new(Peer => "\(path)") or exit 125;
            $s->autoflush(1); print $s "$ARGV[0]\\0$ARGV[1]\\0";
            while (sysread(STDIN, my $piece, 65536)) { print $s $piece }
            shutdown($s, 1);
            sysread($s, my $word, 1) or exit 125;
            if ($word eq "d") { print STDERR "Request refused\\n"; exit 126 }
            if ($word eq "s") { sysread($s, my $status, 3); exit $status }
            while (sysread($s, my $piece, 65536)) { syswrite(STDOUT, $piece) }

            """)
        try Self.script(self.folder + "/qubesdb-read", "#!/bin/sh\necho \(caller)\n")
        let answers = Answers(
            caller: caller, policy: policy, qubes: qubes, daemon: daemon, qubesd: qubesd,
            guest: guest)
        try WorkThread.start {
            while let connection = try? listener.descriptor.accept() {
                answers.start(SharedDescriptor(connection))
            }
        }
    }

    deinit { listener.descriptor.shutdownBoth() }

    /// Our client in that qube.
    func client(_ words: [String]) throws -> Command.Ending { try Command.run(self.words(words)) }

    /// The same beside the test.
    func start(_ words: String...) throws -> ProgramBeside { try ProgramBeside(self.words(words)) }

    private func words(_ words: [String]) -> [String] {
        ["env", "PATH=\(folder):/usr/bin:/bin", Command.program("qvm-btrfs")] + words
    }

    private static func script(_ path: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }
}

/// dom0's side of it.
private struct Answers: Sendable {
    let caller: String
    let policy: Policy
    let qubes: QrexecStandIn.Qubes
    let daemon: FilePath
    let qubesd: FilePath?
    let guest: (@Sendable (_ qube: String, _ service: String) -> Int32)?

    func start(_ qube: SharedDescriptor) {
        try? WorkThread.start { try? serve(qube) }
    }

    private func serve(_ qube: SharedDescriptor) throws {
        // The service is connected before the qube has said anything.
        var service = SharedDescriptor(try UnixSocket.connect(daemon))
        let said = try qube.descriptor.readToEnd(limitBytes: 1 << 20) ?? []
        let parts = said.split(
            separator: 0, maxSplits: 2, omittingEmptySubsequences: false
        ).map { String(decoding: $0, as: UTF8.self) }
        let target = parts[0]
        let isKnown = target == "dom0" || qubes[target] != nil
        let name = parts[1].split(separator: "+", maxSplits: 1).map(String.init)
        let argument = name.count == 2 ? name[1] : ""
        let action = policy.action(
            name[0], argument: argument, from: caller, to: isKnown ? target : "@default",
            tags: qubes)
        guard action == "allow" else { return try qube.descriptor.write(Array("d".utf8)) }
        if name[0].hasPrefix("qubes."), let guest {
            let status = String(guest(target, parts[1]))
            return try qube.descriptor.write(Array("s\(status)".utf8))
        }
        if name[0].hasPrefix("admin."), let qubesd {
            service = SharedDescriptor(try UnixSocket.connect(qubesd))
        }
        try qube.descriptor.write(Array("a".utf8))
        let header = CallHeader(
            service: name[0], argument: argument, source: caller,
            target: isKnown ? .name(target) : .keyword("default"))
        QrexecCall.send(header.encoded() + Array(parts[2].utf8), on: service.descriptor)
        try service.descriptor.shutdownWriting()
        // Where the qube's side is gone the service learns of it at once.
        defer { qube.descriptor.shutdownBoth() }
        let called = service
        try WorkThread.start {
            while !qube.descriptor.waitForHangUp(timeoutSeconds: 60) {}
            called.descriptor.shutdownBoth()
        }
        while true {
            let piece = try service.descriptor.read(maximumBytes: 1 << 16)
            if piece.isEmpty { return }
            try qube.descriptor.write(piece)
        }
    }
}
