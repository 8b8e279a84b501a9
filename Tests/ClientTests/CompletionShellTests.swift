// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Client

/// The completions in real shells, each at a terminal of its own: what is typed, a Tab, and what
/// the shell has made of it.
@Suite struct CompletionShellTests {
    enum Shell: String, CaseIterable, Sendable {
        case bash, zsh, fish

        /// Every Debian has bash; the others are looked at where somebody has them.
        static let here = allCases.filter {
            $0 == .bash || FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0.rawValue)")
        }

        /// How it starts in a folder that has its settings.
        var command: String {
            switch self {
            case .bash: "bash --noprofile --rcfile bashrc -i"
            case .zsh: "zsh -i"
            case .fish: "fish --no-config -i -C 'source config.fish'"
            }
        }

        /// Its settings: the completion, and Ctrl-T to say what is typed and to clear it.
        func settings(_ completion: String) -> (file: String, text: String) {
            switch self {
            case .bash:
                (
                    "bashrc",
                    """
                    source '\(completion)/qvm-btrfs.bash'
                    shopt -s nullglob
                    bind 'set bell-style none'
                    show() { echo "TYPED<$READLINE_LINE>"; READLINE_LINE=; READLINE_POINT=0; }
                    bind -x '"\\C-t": show'

                    """
                )
            case .zsh:
                (
                    ".zshrc",
                    """
                    unsetopt beep
                    fpath=('\(completion)' $fpath)
                    autoload -U compinit; compinit -u -D
                    show() { print -r -- "TYPED<$BUFFER>"; BUFFER=; }
                    zle -N show; bindkey '^T' show

                    """
                )
            case .fish:
                (
                    "config.fish",
                    """
                    source '\(completion)/qvm-btrfs.fish'
                    function show; echo "TYPED<"(commandline)">"; commandline ''; end
                    bind \\ct show

                    """
                )
            }
        }
    }

    let folder: TemporaryFolder

    init() throws {
        Signals.ignoreBrokenPipes()
        folder = try TemporaryFolder()
        try folder.script("qvm-ls", "printf 'dom0\\nvault\\nwork\\n$(touch harmed)\\n'")
        // Names of qubes are no files, and names of files are no qubes.
        let manager = FileManager.default
        try manager.createDirectory(atPath: folder.path("vault"), withIntermediateDirectories: true)
        try "".write(toFile: folder.path("page.html"))
        let bundle = FilePath(CommandLine.arguments[0]).removingLastComponent()
        try manager.createSymbolicLink(
            atPath: folder.path("qvm-btrfs"), withDestinationPath: "\(bundle)/qvm-btrfs")
    }

    private static var completion: String {
        FilePath(#filePath).removingLastComponent().removingLastComponent()
            .removingLastComponent().appending("completion").string
    }

    /// Types each line, a Tab and Ctrl-T.
    /// - Returns: what stood there then, without blanks at its end.
    private func type(_ lines: [String], into shell: Shell) throws -> [String] {
        let settings = shell.settings(Self.completion)
        try settings.text.write(toFile: folder.path(settings.file))
        let keys = lines.map { "\($0)\t\u{14}" }.joined() + "exit\n"
        let path = folder.path
        let input = try Descriptor.pipe()
        let output = try Descriptor.pipe()
        let child = try ChildProcess.spawn(
            // A shell that waits for something else fails, and hangs nobody.
            executable: "/usr/bin/timeout",
            arguments: [
                "300", "script", "-qec", "cd '\(path)' && \(shell.command)", "/dev/null",
            ],
            environment: [
                "PATH": "\(path):/usr/bin:/bin", "HOME": path, "ZDOTDIR": path,
                "XDG_DATA_HOME": path, "XDG_CONFIG_HOME": path, "TERM": "dumb", "SHELL": "/bin/sh",
            ], standardInput: input.first, standardOutput: output.second)
        var typing: SharedDescriptor?
        var reading: SharedDescriptor?
        input.split { typing = SharedDescriptor($1) }
        output.split { first, _ in reading = SharedDescriptor(first) }
        // Its end would be Ctrl-D; the shell is told to go.
        try typing?.descriptor.write(Array(keys.utf8))
        let bytes = try reading?.descriptor.readToEnd(limitBytes: 1 << 20) ?? []
        #expect(try child.wait() == .exited(0))
        let text = String(decoding: bytes, as: UTF8.self)
        return text.matches(of: #/TYPED<([^>]*?) *>/#).map { String($0.output.1) }
    }

    @Test(arguments: Shell.here)
    func wordsOfTheProgramAndNamesOfQubes(shell: Shell) throws {
        let lines = [
            ("opt", "optimize"), ("compress vau", "compress vault"),
            ("compress --exclude vau", "compress --exclude vault"),
            ("compress --exclude=vau", "compress --exclude=vault"),
            ("compress vault wo", "compress vault work"), ("report --sort unr", nil),
            ("report --html pag", "report --html page.html"), ("compress pag", "compress pag"),
            ("new-data work --compress=of", "new-data work --compress=off"),
            ("policy wo", "policy work"), ("compress --risk", "compress --risk-read-only"),
        ]
        let typed = try type(lines.map { "qvm-btrfs \($0.0)" }, into: shell)
        #expect(
            typed == lines.map { "qvm-btrfs \($0.1 ?? "report --sort unreachable")" })
        #expect(!FileManager.default.fileExists(atPath: folder.path("harmed")))
    }

    @Test(arguments: Shell.here)
    func namesThatTheServiceKnows(shell: Shell) throws {
        var report = Sample.report([Sample.qube("work", bytes: 1)])
        report.pools = [QubeSet(name: "varlibqubes", qubes: [], figures: Sample.figures(1))]
        let jobs = JobList(jobs: [Sample.record(.running)])
        let cases: [(line: String, made: String, answer: Envelope)] = [
            ("report work:pr", "report work:private", try .answer(report)),
            ("optimize dom0:pool.va", "optimize dom0:pool.varlibqubes", try .answer(report)),
            ("compress vault work:", "compress vault work:private", try .answer(report)),
            ("watch 01", "watch \(Sample.job)", try .answer(jobs)),
            ("cancel 01", "cancel \(Sample.job)", try .answer(jobs)),
        ]
        for (line, made, answer) in cases {
            // A shell may ask more than once.
            let service = try ScriptedService(
                Array(repeating: .answer(answer.encoded()), count: 8))
            let words = line.split(separator: " ", maxSplits: 1)
            let option = "--socket \(service.path)"
            let typed = try type(["qvm-btrfs \(words[0]) \(option) \(words[1])"], into: shell)
            let expected = made.split(separator: " ", maxSplits: 1)
            #expect(typed == ["qvm-btrfs \(expected[0]) \(option) \(expected[1])"])
        }
    }

    @Test(arguments: Shell.here)
    func nothingIsSaidWhereNobodyAnswers(shell: Shell) throws {
        let line = "qvm-btrfs report --socket \(folder.path)/none work:"
        #expect(try type([line, "qvm-btrfs jo"], into: shell) == [line, "qvm-btrfs jobs"])
    }

    @Test func bashKeepsItsOptions() throws {
        // Each `source` after a completion brought back those of the moment of completing.
        try "".write(toFile: folder.path("nothing"))
        let lines = [
            "qvm-btrfs opt",
            "shopt -u nullglob; source nothing; shopt nullglob >state || true\n qvm-btrfs jo",
        ]
        #expect(try type(lines, into: .bash).last?.hasSuffix("qvm-btrfs jobs") == true)
        #expect(try folder.content("state")?.contains("off") == true)
    }
}

extension String {
    fileprivate func write(toFile path: String) throws {
        try Data(utf8).write(to: URL(fileURLWithPath: path))
    }
}
