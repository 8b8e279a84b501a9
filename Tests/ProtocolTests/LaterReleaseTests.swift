// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Testing

/// What a later release may say, as this one reads it.
@Suite struct LaterReleaseTests {
    private func read<Message: Codable>(_ type: Message.Type, _ json: String) throws -> Message {
        try JSONDecoder().decode(type, from: Data(json.utf8))
    }

    private func write(_ message: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(message), as: UTF8.self)
    }

    private func isRead<Kind: Word>(_ type: Kind.Type) throws {
        let later = try read([Kind].self, #"["later"]"#)
        #expect(later == [.unknown("later")])
        #expect(later[0].isUnknown)
        #expect(try write(later) == #"["later"]"#)
        for word in Kind.allCases {
            #expect(!word.isUnknown)
            #expect(Kind(rawValue: word.rawValue) == word)
        }
        #expect(Set(Kind.allCases.map(\.rawValue)).count == Kind.allCases.count)
    }

    @Test func aWordOfALaterReleaseIsReadAsItIs() throws {
        try isRead(JobState.self)
        try isRead(Operation.self)
        try isRead(JobProgress.Stage.self)
        try isRead(Pacing.State.self)
        try isRead(Pacing.Reason.self)
        try isRead(NewData.Reason.self)
        try isRead(Report.Setting.Origin.self)
        try isRead(CheckReport.Finding.Level.self)
    }

    @Test(arguments: ["1", "null", "{}", "[]"])
    func whatIsNoWordIsAnError(json: String) {
        #expect(throws: DecodingError.self) { try read([JobState].self, "[\(json)]") }
    }

    @Test func oneOddJobLeavesTheOthersInTheList() throws {
        let odd = Sample.newRecordJSON
            .replacing(#""queued""#, with: #""waning""#)
            .replacing(#""compress""#, with: #""rebalance""#)
            .replacing(#"{"argument""#, with: #"{"aNewKey":{"a":[1]},"argument""#)
        let list = try read(
            JobList.self,
            #"{"jobs":[\#(odd),\#(Sample.newRecordJSON)],"later":1,"version":1}"#)
        #expect(list.jobs.map(\.state) == [.unknown("waning"), .queued])
        #expect(list.jobs.map(\.operation) == [.unknown("rebalance"), .compress])
        #expect(list.jobs[0].operation.service == nil)
        #expect(list.jobs[1] == Sample.newRecord)
    }

    @Test func aJobOfAnUnknownStateIsOverWhenItHasEnded() {
        var record = Sample.newRecord
        record.state = .unknown("later")
        #expect(!record.isOver)
        record.endedAt = 1
        #expect(record.isOver)
        record.state = .running
        #expect(!record.isOver)
    }

    @Test func aFindingOfALaterReleaseWantsAction() throws {
        let json = #"""
            {"checkedAt":1,"findings":[{"about":{"kind":"disk","serial":"x"},"level":"disaster",\#
            "message":"m","subject":"s","topic":"t"}],"version":1}
            """#
        let check = try read(CheckReport.self, json)
        #expect(check.findings.map(\.about) == [.other(kind: "disk")])
        #expect(check.findings.map(\.level) == [.unknown("disaster")])
        #expect(check.wantsAction)
        #expect(try write(check.findings[0].about) == #"{"kind":"disk"}"#)
    }

    @Test func anotherVersionIsNotRead() {
        #expect(throws: DecodingError.self) {
            try read(JobList.self, #"{"jobs":[],"version":2}"#)
        }
    }
}
