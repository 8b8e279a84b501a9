// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage

/// What a shell offers for a word that is being typed: names that Qubes and the service know.
///
/// It is asked at each Tab, so that it says nothing of what goes wrong and never keeps anybody
/// waiting. What it gives a shell may stand on a command line as it is: names and digits alone.
struct Completion: Sendable {
    /// What may stand where the cursor is.
    enum Kind: Sendable {
        case qube
        /// A qube, one of its volumes, or a part of the machine.
        case place
        case job
    }

    /// A word, and for shells that show it what it stands for.
    struct Word: Equatable, Sendable {
        let text: String
        var meaning = ""
    }

    /// For how long a shell waits.
    static let limitSeconds: Double = 2
    /// The longest list of names that is read, in bytes.
    private static let limitBytes = 1 << 20

    let transport: any Transport
    let environment: [String: String]
    var limitSeconds = Completion.limitSeconds

    /// What fits here, or nothing when nobody says it in time.
    /// - Parameters:
    ///   - words: the command line, the program's name first.
    ///   - index: which of them is being typed.
    func words(_ kind: Kind, in words: [String], at index: Int) -> [Word] {
        let line = CommandLineWords(words, index)
        let interruption = Interruption()
        let client = ServiceClient(transport: transport, interruption: interruption)
        let answer = Monitor<[Word]?>(nil)
        do throws(Errno) {
            try WorkThread.start {
                let found = (try? find(kind, line, client)) ?? []
                answer.withLock { $0 = found }
            }
        } catch {
            return []
        }
        if let found = answer.wait(timeoutSeconds: limitSeconds, until: { $0 }) { return found }
        // Whoever was asked is told that nobody waits any more.
        _ = interruption.interrupt()
        return []
    }

    private func find(
        _ kind: Kind, _ line: CommandLineWords, _ client: ServiceClient
    ) throws(ClientError) -> [Word] {
        switch kind {
        case .qube: return try qubes(client)
        case .place:
            guard let colon = line.current.firstIndex(of: ":") else { return try qubes(client) }
            guard let qube = QubeName(String(line.current[..<colon])) else { return [] }
            return try parts(of: qube.text, line, client)
        case .job:
            let jobs = try client.jobs(target: line.qube ?? ServiceClient.machine).jobs
            return jobs.filter { line.fits($0) }.compactMap(Self.word)
        }
    }

    /// By `qvm-ls`, which asks for no account of disks. The service is asked where there is none.
    private func qubes(_ client: ServiceClient) throws(ClientError) -> [Word] {
        let search = QrexecTransport(environment: environment)
        let listed = search.output(of: "qvm-ls", ["--raw-list"], limitBytes: Self.limitBytes)
        let names =
            if let listed { listed.split(separator: "\n").map(String.init) } else {
                [ServiceClient.machine]
                    + (try client.report(target: ServiceClient.machine, volume: "")).qubes.map(
                        \.name)
            }
        return names.compactMap { QubeName($0) }.map { Word(text: $0.text) }
    }

    private func parts(
        of qube: String, _ line: CommandLineWords, _ client: ServiceClient
    ) throws(ClientError) -> [Word] {
        let report = try client.report(target: qube, volume: "")
        let system = line.takesSystem ? ["system"] : []
        let names =
            if qube == ServiceClient.machine {
                system + (report.pools ?? []).map { "pool.\($0.name)" }
            } else {
                report.qubes.first { $0.name == qube }?.volumes.map(\.name) ?? []
            }
        return names.compactMap { Place("\(qube):\($0)") }.map { Word(text: $0.text) }
    }

    private static func word(_ job: JobRecord) -> Word? {
        guard let digits = JobPrefix(job.job), digits.isWhole else { return nil }
        let words = [job.operation.rawValue, job.target, job.state.rawValue]
        let known = words.allSatisfy { PlainName($0) != nil }
        return Word(
            text: digits.digits, meaning: known ? "\(words[0]) of \(words[1]), \(words[2])" : "")
    }
}

/// What else stands on a command line that is being typed.
struct CommandLineWords: Sendable {
    private let words: [String]
    /// The word that is being typed.
    let current: String

    init(_ words: [String], _ index: Int) {
        self.words = words
        current = words.indices.contains(index) ? words[index] : ""
    }

    /// What stands behind an option.
    func value(of option: String) -> String? {
        for (index, word) in words.enumerated() {
            if word == option, index + 1 < words.count { return words[index + 1] }
            if word.hasPrefix("\(option)=") { return String(word.dropFirst(option.count + 1)) }
        }
        return nil
    }

    /// The qube that a job is said to be about.
    var qube: String? { value(of: "--qube").flatMap { QubeName($0)?.text } }

    /// The command works on dom0's own files as well.
    var takesSystem: Bool {
        words.dropFirst().first.flatMap { Operation(rawValue: $0).refusalOfSystem } == nil
    }

    /// The command can do something about a job.
    func fits(_ job: JobRecord) -> Bool {
        switch words.dropFirst().first {
        case "cancel": !job.isOver
        case "pause": !job.isOver && job.state != .paused
        case "resume": job.state == .paused
        default: true
        }
    }
}

extension CompletionKind {
    /// What the service, or `qvm-ls`, knows of this kind.
    static func names(_ kind: Completion.Kind) -> Self {
        .custom { words, index, _ in
            let environment = ProcessInfo.processInfo.environment
            let socket = CommandLineWords(words, index).value(of: "--socket")
            let transport = Program.transport(
                socket: socket.map { FilePath($0) }, environment: environment,
                isDom0: Program.isDom0)
            let found = Completion(transport: transport, environment: environment)
                .words(kind, in: words, at: index)
            return found.map { $0.text(for: CompletionShell.requesting) }
        }
    }
}

extension Completion.Word {
    /// As a shell takes it.
    func text(for shell: CompletionShell?) -> String {
        switch shell {
        // What stands behind a colon is the meaning.
        case .zsh: text.replacing(":", with: "\\:") + (meaning.isEmpty ? "" : ":\(meaning)")
        case .fish: text + (meaning.isEmpty ? "" : "\t\(meaning)")
        default: text
        }
    }
}
