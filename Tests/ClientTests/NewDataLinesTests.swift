// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

@Suite struct NewDataLinesTests {
    private static func texts(
        _ isCompressed: Bool?, _ reason: NewData.Reason, later: Bool, property: String? = nil
    ) -> String {
        NewDataLines.all(
            NewDataReply(volumes: [
                .init(
                    name: "private",
                    newData: NewData(
                        isCompressed: isCompressed, reason: reason, isCompressedLater: later,
                        directoryProperty: property))
            ])
        ).texts.joined(separator: "|")
    }

    @Test func eachVolumeHasASentence() {
        #expect(
            Self.texts(true, .mount, later: true)
                == "private: compressed, as the file system is mounted with compress.")
        #expect(
            Self.texts(false, .nothing, later: true, property: "zstd")
                == "private: not compressed, as nothing asks for it; images made later will be (the"
                + "|  directory hands down: zstd).")
        #expect(
            Self.texts(nil, .nothing, later: false)
                == "private: there is no image yet; what is written to the first one will not be"
                + "|  compressed.")
    }

    @Test(arguments: NewData.Reason.allCases)
    func everyReasonFitsTheLine(reason: NewData.Reason) {
        let lines = Self.texts(false, reason, later: true, property: Sample.hostile)
            .split(separator: "|")
        #expect(lines.allSatisfy { $0.count <= TextTable.columns })
        #expect(!lines.contains { $0.unicodeScalars.contains("\u{1b}") })
    }

    @Test func whatIsNotCompressedIsAWarning() {
        let reply = NewDataReply(volumes: [
            .init(
                name: "root",
                newData: NewData(
                    isCompressed: false, reason: .nocow, isCompressedLater: false,
                    directoryProperty: nil))
        ])
        #expect(NewDataLines.all(reply).map(\.style) == [.warning])
    }

    @Test func aQubeWithoutImagesSaysSo() {
        #expect(NewDataLines.all(NewDataReply(volumes: [])).count == 1)
    }

    @Test func ofSeveralQubesEachIsNamed() throws {
        let volume = NewDataReply.Volume(
            name: "private",
            newData: NewData(
                isCompressed: true, reason: .mount, isCompressedLater: true,
                directoryProperty: nil))
        let reply = NewDataReply(volumes: [volume])
        let answers = [
            ScriptedService.Step.answer(try Envelope.answer(reply).encoded()),
            .answer(try Envelope.answer(NewDataReply(volumes: [])).encoded()),
        ]
        let run = try Run(["new-data", "work", "vault"], answers)
        #expect(run.output.hasPrefix("work:private: compressed"))
        #expect(run.output.contains("\nvault has no images on a Btrfs pool."))
        let one = try Run(["new-data", "work"], [answers[0]])
        #expect(one.output.hasPrefix("private: compressed"))
    }
}
