// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Testing

@testable import Client

@Suite struct SanitisingTests {
    /// Nothing in a text can move a terminal.
    private func isHarmless(_ text: some StringProtocol) -> Bool {
        text.unicodeScalars.allSatisfy {
            switch $0.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
    }

    @Test func aPlainTextStaysAsItIs() {
        #expect("No such qube: 'wörk' – 100 % …".sanitised == "No such qube: 'wörk' – 100 % …")
    }

    @Test func controlAndFormatCharactersAreEscaped() {
        #expect("a\u{1b}[0m\n\u{202e}b".sanitised == "a\\u{1b}[0m\\u{a}\\u{202e}b")
        #expect(isHarmless(Sample.hostile.sanitised))
    }

    @Test func aLineEndOfTwoCharactersIsEscaped() {
        #expect("a\r\nb".sanitised == "a\\u{d}\\u{a}b")
    }

    @Test func everyControlCharacterIsEscaped() {
        for value in Array(0..<0x20) + Array(0x7f...0x9f) as [UInt32] {
            let scalar = Unicode.Scalar(value)
            #expect(scalar.map { isHarmless(String($0).sanitised) } == true)
        }
    }

    @Test func sanitisingTwiceChangesNothingMore() {
        #expect(Sample.hostile.sanitised.sanitised == Sample.hostile.sanitised)
    }

    @Test func hostileTextInJSONIsHarmlessAndTheSameForItsReader() throws {
        let problem = Report.Problem(
            subject: Sample.hostile, message: "\u{e0001} is beyond 16 bits")
        let text = try JSONText.plain(problem)
        #expect(isHarmless(text))
        let read = try JSONDecoder().decode(Report.Problem.self, from: Data(text.utf8))
        #expect(read == problem)
    }

    @Test func noRendererLetsHostileTextToAConsole() throws {
        var qube = Sample.qube(Sample.hostile, bytes: 1, nocow: true)
        qube.kind = Sample.hostile
        let report = Sample.report(
            [qube], fileSystems: [Sample.usage(dataUsedBytes: 1, pools: [Sample.hostile])],
            problems: [.init(subject: Sample.hostile, message: Sample.hostile)])
        var record = Sample.record(.failed, job: Sample.hostile)
        record.target = Sample.hostile
        record.argument = Sample.hostile
        record.error = Sample.hostile
        record.result?.leftAlone = [.init(reason: Sample.hostile, count: 1, diskBytes: 1)]
        let capture = Capture()
        let console = capture.console()
        try console.data(ReportLines.machine(report) + ReportLines.volumes(report))
        try console.data(JobLines.result(record))
        try console.data(JobLines.table(JobList(jobs: [record]), now: 0))
        console.note(Line(Sample.hostile))
        console.progress(Sample.hostile)
        for line in (capture.output + capture.error).split(separator: "\n") {
            #expect(isHarmless(line))
        }
    }

    @Test func tablesWithHostileNamesKeepTheirWidth() throws {
        let name = String(repeating: "\u{1b}", count: 20)
        let report = Sample.report([Sample.qube(name, bytes: 1 << 40)])
        let capture = Capture()
        try capture.console().data(ReportLines.machine(report))
        let lines = capture.output.split(separator: "\n")
        for line in lines.prefix(3) { #expect(line.count == 80) }
        for line in lines { #expect(line.count <= 80) }
    }
}
