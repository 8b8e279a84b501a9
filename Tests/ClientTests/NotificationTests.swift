// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@testable import Client

@Suite struct NotificationTests {
    private func record(_ state: JobState, saved: UInt64 = 0) -> JobRecord {
        var record = JobRecord(
            job: "0123456789abcdef0123", operation: .optimize, caller: "dom0", target: "dom0",
            argument: "", submittedAt: 1)
        record.startedAt = 1
        record.endedAt = 2
        record.state = state
        if state == .done {
            record.result = JobResult(
                before: [Sample.usage(dataUsedBytes: 10 << 30)],
                after: [Sample.usage(dataUsedBytes: 10 << 30 - saved)], extentsSeen: 1,
                extentsReplaced: 1, referencesMoved: 1, predictedBytes: nil, leftAlone: [],
                problems: [], elapsedSeconds: 1)
        }
        return record
    }

    @Test func itSaysHowTheJobEndedAndWhatCameBack() {
        let done = JobNotification(record(.done, saved: 3 << 30))
        #expect(done.summary == "optimize dom0 is done")
        #expect(done.body == "3.00 GiB came back." && !done.isUrgent)
        var failed = record(.failed)
        failed.error = "pool <b> & co: it failed"
        let notification = JobNotification(failed)
        #expect(notification.summary == "optimize dom0 failed" && notification.isUrgent)
        #expect(notification.markup == "pool &lt;b&gt; &amp; co: it failed")
        #expect(!JobNotification(record(.cancelled)).isUrgent)
    }

    @Test func inALogItIsOneLine() {
        var done = record(.done, saved: 3 << 30)
        #expect(
            JobLines.summary(done).text
                == "optimize dom0 is done: 3.00 GiB came back. Job 0123456789abcdef0123.")
        done.result?.lacksRoom = true
        #expect(
            JobLines.summary(done).text == "optimize dom0 is done, but there was too little room"
                + " for some of it: 3.00 GiB came back. Job 0123456789abcdef0123.")
        var failed = record(.failed)
        failed.error = "It failed"
        #expect(
            JobLines.summary(failed).text
                == "optimize dom0 failed: It failed. Job 0123456789abcdef0123.")
        #expect(
            JobLines.summary(record(.cancelled)).text
                == "optimize dom0 was cancelled. Job 0123456789abcdef0123.")
    }

    @Test func whatStandsInItCannotEndAStringOfGdbus() throws {
        var failed = record(.failed)
        failed.error = #"it's \ over"#
        let gdbus = try #require(JobNotification(failed).commands.last?.arguments)
        #expect(gdbus.contains(#"'it\'s \\ over'"#))
    }
}
