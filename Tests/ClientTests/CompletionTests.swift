// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Client

/// What is offered for a word that is being typed.
@Suite struct CompletionTests {
    let folder: TemporaryFolder

    init() throws {
        Signals.ignoreBrokenPipes()
        folder = try TemporaryFolder()
    }

    /// Completes the last of the words.
    private func complete(
        _ kind: Completion.Kind, _ line: [String], _ service: ScriptedService,
        limitSeconds: Double = 60
    ) -> [String] {
        found(kind, line, service, limitSeconds: limitSeconds).map(\.text)
    }

    private func found(
        _ kind: Completion.Kind, _ line: [String], _ service: ScriptedService,
        limitSeconds: Double = 60
    ) -> [Completion.Word] {
        Completion(
            transport: SocketTransport(path: service.path), environment: ["PATH": folder.path],
            limitSeconds: limitSeconds
        ).words(kind, in: ["qvm-btrfs"] + line, at: line.count)
    }

    private func machine() throws -> ScriptedService.Step {
        var report = Sample.report([
            Sample.qube("work", bytes: 1), Sample.qube("$(reboot)", bytes: 1),
        ])
        report.pools = ["varlibqubes", "a b"].map {
            QubeSet(name: $0, qubes: ["work"], figures: Sample.figures(1))
        }
        return .answer(try Envelope.answer(report).encoded())
    }

    @Test func qubesAreThoseOfQvmLsAndNothingThatIsNoName() throws {
        try folder.script(
            "qvm-ls", "[ \"$*\" = --raw-list ] && printf 'dom0\\nwork\\n$(x)\\n-a\\n'")
        let service = try ScriptedService([])
        #expect(complete(.qube, ["policy", "w"], service) == ["dom0", "work"])
        #expect(complete(.place, ["report", ""], service) == ["dom0", "work"])
        #expect(try service.calls().isEmpty)
    }

    @Test(arguments: ["", "exit 1"])
    func theServiceIsAskedWhereThereIsNoQvmLs(script: String) throws {
        if !script.isEmpty { try folder.script("qvm-ls", script) }
        let service = try ScriptedService([try machine()])
        #expect(complete(.place, ["report", "w"], service) == ["dom0", "work"])
        #expect(try service.calls() == ["btrfs.Report+ dom0 name dom0\0{\"version\":1}"])
    }

    @Test func behindAColonAreTheVolumesOfTheQube() throws {
        let service = try ScriptedService([try machine()])
        #expect(complete(.place, ["report", "work:pr"], service) == ["work:private"])
        #expect(try service.calls() == ["btrfs.Report+ dom0 name work\0{\"version\":1}"])
    }

    @Test func thePartsOfTheMachineAreItsOwnFilesAndItsPools() throws {
        let service = try ScriptedService([try machine()])
        #expect(
            complete(.place, ["compress", "dom0:"], service)
                == ["dom0:system", "dom0:pool.varlibqubes"])
        #expect(try service.calls() == ["btrfs.Report+ dom0 name dom0\0{\"version\":1}"])
    }

    @Test func whereHolesAreMadeItsOwnFilesAreNotOffered() throws {
        let service = try ScriptedService([try machine()])
        #expect(complete(.place, ["sparsify", "dom0:"], service) == ["dom0:pool.varlibqubes"])
    }

    @Test func whatIsNoQubeIsNotAskedAbout() throws {
        let service = try ScriptedService([])
        #expect(complete(.place, ["compress", "$x:"], service).isEmpty)
        #expect(try service.calls().isEmpty)
    }

    @Test(arguments: [
        ("watch", "abcd"), ("cancel", "abc"), ("pause", "ab"), ("resume", "c"),
    ])
    func jobsAreThoseThatTheCommandCanDoSomethingAbout(command: String, first: String) throws {
        func id(_ character: Character) -> String { String(repeating: character, count: 20) }
        let list = JobList(jobs: [
            Sample.record(.queued, job: id("a")), Sample.record(.running, job: id("b")),
            Sample.record(.paused, job: id("c")), Sample.record(.done, job: id("d")),
            Sample.record(.running, job: "no job"),
        ])
        let service = try ScriptedService([.answer(try Envelope.answer(list).encoded())])
        #expect(
            complete(.job, [command, "--qube", "work", ""], service) == first.map { id($0) })
        #expect(try service.calls() == ["btrfs.job.List+ dom0 name work\0{\"version\":1}"])
    }

    @Test func aJobIsToldByWhatItDoes() throws {
        let list = JobList(jobs: [Sample.record(.running)])
        let service = try ScriptedService([.answer(try Envelope.answer(list).encoded())])
        let word = try #require(found(.job, ["watch", ""], service).first)
        #expect(word.meaning == "compress of work, running")
        #expect(word.text(for: .bash) == Sample.job)
        #expect(word.text(for: .zsh) == "\(Sample.job):compress of work, running")
        #expect(word.text(for: .fish) == "\(Sample.job)\tcompress of work, running")
        #expect(Completion.Word(text: "work:root").text(for: .zsh) == "work\\:root")
    }

    @Test func aRefusalSaysNothing() throws {
        let refusal = Envelope.exception(.init(.noSuchQube, "no such qube")).encoded()
        let service = try ScriptedService([.answer(refusal), .answer([])])
        #expect(complete(.job, ["watch", ""], service).isEmpty)
        #expect(complete(.place, ["report", "work:"], service).isEmpty)
        #expect(try service.calls().count == 2)
        // Nobody listens any more.
        #expect(complete(.place, ["report", "work:"], service).isEmpty)
    }

    @Test func aServiceThatDoesNotAnswerInTimeIsLetGo() throws {
        let service = try ScriptedService([.hold([], {})])
        #expect(complete(.job, ["watch", ""], service, limitSeconds: 0.1).isEmpty)
        // It ends only when the client has closed.
        #expect(try service.calls().count == 1)
        #expect(Completion.limitSeconds == 2)
    }

    @Test func aValueIsFoundBehindItsOptionAndBehindAnEqualSign() {
        #expect(CommandLineWords(["a", "--socket", "/x"], 0).value(of: "--socket") == "/x")
        #expect(CommandLineWords(["a", "--socket=/x"], 0).value(of: "--socket") == "/x")
        #expect(CommandLineWords(["a", "--socket"], 0).value(of: "--socket") == nil)
        #expect(CommandLineWords(["a", "--qube=$x"], 0).qube == nil)
        #expect(CommandLineWords(["a"], 7).current.isEmpty)
    }
}
