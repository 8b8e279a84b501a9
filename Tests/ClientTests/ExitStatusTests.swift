// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import FoundationEssentials
import Protocol
import Testing

@testable import Client

@Suite struct ExitStatusTests {
    @Test func theNumbersAreThePromisedOnes() {
        #expect(
            ExitStatus.allCases.map(\.rawValue) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 130])
        #expect(ExitStatus.done.rawValue == 0)
        #expect(ExitStatus.failed.rawValue == 1)
        #expect(ExitStatus.usage.rawValue == 2)
        #expect(ExitStatus.refused.rawValue == 3)
        #expect(ExitStatus.notFound.rawValue == 4)
        #expect(ExitStatus.busy.rawValue == 5)
        #expect(ExitStatus.jobInterrupted.rawValue == 6)
        #expect(ExitStatus.jobCancelled.rawValue == 8)
        #expect(ExitStatus.unreadable.rawValue == 9)
        #expect(ExitStatus.notTrimmed.rawValue == 10)
        #expect(ExitStatus.lackedRoom.rawValue == 11)
        #expect(ExitStatus.different.rawValue == 12)
        #expect(ExitStatus.interrupted.rawValue == 130)
    }

    @Test(arguments: ExitStatus.allCases)
    func everyStatusIsDocumented(status: ExitStatus) throws {
        let root = URL(filePath: #filePath).appending(path: "../../../docs/client.md")
        let text = try String(contentsOf: root.standardized, encoding: .utf8)
        #expect(text.contains("\n| \(status.rawValue) | "))
    }

    @Test(arguments: JSONText.Kind.allCases)
    func everyKindOfMessageIsDocumented(kind: JSONText.Kind) throws {
        let root = URL(filePath: #filePath).appending(path: "../../../docs/client.md")
        let text = try String(contentsOf: root.standardized, encoding: .utf8)
        #expect(text.contains("\n| `\(kind.rawValue)` | "))
    }

    @Test(
        arguments: zip(
            ServiceException.Kind.allCases,
            [
                ExitStatus.usage, .notFound, .notFound, .notFound, .failed, .failed, .busy, .failed,
            ]))
    func everyExceptionHasItsStatusAndSaysItsMessage(
        kind: ServiceException.Kind, status: ExitStatus
    ) throws {
        let run = try Run(
            ["report"], [.answer(Envelope.exception(.init(kind, "because\u{1b}[2J")).encoded())])
        #expect(run.status == status)
        #expect(run.error == "qvm-btrfs: because\\u{1b}[2J\n")
        #expect(run.output == "")
    }

    @Test(
        arguments: zip(
            [JobState.done, .failed, .interrupted, .cancelled],
            [ExitStatus.done, .failed, .jobInterrupted, .jobCancelled]))
    func everyEndOfAJobHasItsStatus(state: JobState, status: ExitStatus) throws {
        let run = try Run(
            ["watch", Sample.job], [.answer(Envelope.answer(Sample.record(state)).encoded())])
        #expect(run.status == status)
        #expect(run.output.hasPrefix("Job \(Sample.job): compress work:private "))
    }

    @Test func aDoneJobThatCouldNotReadAllHasAStatusOfItsOwn() throws {
        var record = Sample.record(.done)
        record.result?.unreadable = Sample.unreadable
        let run = try Run(["watch", Sample.job], [.answer(Envelope.answer(record).encoded())])
        #expect(run.status == .unreadable)
        #expect(run.output.contains("is done, but parts of the images\n"))
        #expect(run.output.contains("work:private, appvms/work/private.img: 4.00 KiB at byte"))
        record.state = .failed
        let failed = try Run(["watch", Sample.job], [.answer(Envelope.answer(record).encoded())])
        #expect(failed.status == .failed)
    }

    @Test func aDoneJobThatLackedRoomHasAStatusOfItsOwn() throws {
        var record = Sample.record(.done)
        record.result?.lacksRoom = true
        let run = try Run(["watch", Sample.job], [.answer(Envelope.answer(record).encoded())])
        #expect(run.status == .lackedRoom)
        #expect(run.output.contains("is done, but there was too"))
        record.state = .cancelled
        let cancelled = try Run(
            ["watch", Sample.job], [.answer(Envelope.answer(record).encoded())])
        #expect(cancelled.status == .jobCancelled)
    }

    @Test(arguments: [
        ["frob"], ["report", "9x"], ["report", ""], ["report", "work", "root"],
        ["report", "work:../x"], ["report", Sample.longName + "x"], ["report", "work:"],
        ["compress", ":root"], ["compress", "@default"], ["compress", "work", "--level", "0"],
        ["compress", "work", "--level", "-16"], ["compress", "work", "--plain", "--level", "3"],
        ["optimize", "work", "--plain"],
        ["compress", "work", "--level", "20"], ["compress", "work", "--level", "x"],
        ["dedupe", "work", "--level", "3"], ["dedupe", "a b"], ["watch"], ["watch", "xyz"],
        ["watch", Sample.job + "0"], ["watch", "ABC"], ["jobs", "work"], ["report", "a/b"],
        ["optimize", "--all", "work"], ["optimize", "work", "--exclude", "vault"],
        ["report", "a", "b", "--csv"], ["report", "--sort", "colour"], ["report", "-q", "-v"],
        ["new-data", "dom0"], ["report", "work", "--tree"], ["sparsify", "work", "--level", "3"],
        ["sparsify", "dom0:system"],
    ])
    func wrongUsageIs2AndCallsNobody(arguments: [String]) throws {
        let run = try Run(arguments)
        #expect(run.status == .usage)
        #expect(run.error.hasPrefix("Error: "))
        #expect(run.output == "")
    }

    @Test(arguments: [["--help"], ["help"], ["report", "--help"], ["help", "compress"], []])
    func helpIsDataAndNoError(arguments: [String]) throws {
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: true, clock: .system)
        #expect(program.run(arguments) == .done)
        #expect(capture.output.contains("Example: qvm-btrfs"))
        #expect(capture.error == "")
    }

    @Test(arguments: ["report", "verify", "compress", "dedupe", "sparsify", "jobs", "watch"])
    func everyCommandsHelpHasAnExampleOfItself(command: String) throws {
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: true, clock: .system)
        #expect(program.run(["help", command]) == .done)
        #expect(capture.output.contains("Example: qvm-btrfs \(command)"))
    }

    @Test(arguments: [
        ["compress", "@x"], ["dedupe", "9x"], ["report", "work", "root"],
        ["compress", "work", "--level", "x"], ["watch", "xyz"], ["dedupe", "work", "--frob"],
        ["sparsify", "dom0:system"],
    ])
    func complaintsOfWrongUsageAreAtMost80ColumnsWide(arguments: [String]) {
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: true, clock: .system)
        _ = program.run(arguments)
        let lines = capture.error.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("Usage: ") })
        for line in lines { #expect(line.count <= 80) }
    }

    @Test(arguments: QvmBtrfs.configuration.subcommands.map { $0._commandName })
    func everyCommandsHelpFits80Columns(command: String) throws {
        let subcommands = QvmBtrfs.configuration.subcommands
        let type = try #require(subcommands.first { $0._commandName == command })
        let lines = QvmBtrfs.helpMessage(for: type, columns: 80).split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("USAGE: qvm-btrfs \(command) ") })
        for line in lines { #expect(line.count <= 80) }
    }

    @Test func theVersionIsTheReleases() {
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: true, clock: .system)
        #expect(program.run(["--version"]) == .done)
        #expect(capture.output == "\(Release.version)\n")
    }

    @Test func aLongExceptionIsWrapped() throws {
        let words = Array(repeating: "words", count: 40).joined(separator: " ")
        let run = try Run(
            ["report"], [.answer(Envelope.exception(.init(.failed, words)).encoded())])
        let lines = run.error.split(separator: "\n")
        #expect(lines.count > 1)
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(
            run.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                == "qvm-btrfs: \(words)")
    }

    @Test func aSocketThatIsNotThereIs3() {
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: true, clock: .system)
        #expect(program.run(["jobs", "--socket", "/nonexistent/socket"]) == .refused)
        #expect(capture.error.contains("cannot reach the service at /nonexistent/socket"))
    }
}
