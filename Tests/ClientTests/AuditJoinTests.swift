// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

@Suite struct AuditJoinTests {
    private typealias Sample = AuditSample

    @Test func aCallAboutAJobAtAnotherQubeIsShownForThatQube() {
        let asked = [
            Sample.policy(
                5, "btrfs.job.Watch", Sample.job, target: "personal",
                verdict: .denied(reason: "denied by policy /a:48", rule: "/a:48")),
            Sample.policy(6, "btrfs.job.Watch", Sample.job, target: "work-clone"),
            Sample.service(
                6.1, .request, "btrfs.job.Watch", Sample.job, target: "work-clone",
                outcome: "BtrfsJobNotFoundError"),
        ]
        let entries = AuditHistory.entries(Sample.wholeCall + asked)
        #expect(entries.map(\.target) == ["work", "personal", "work-clone"])
        #expect(entries.map(\.decision) == [.allowed, .denied, .allowed])
    }

    @Test func anEndIsOfTheCallThatItNames() {
        func check(
            _ seconds: Double, _ event: AuditEvent, _ outcome: String, call: String
        ) -> JournalEntry {
            Sample.service(seconds, event, "btrfs.Check", "", outcome: outcome, call: call)
        }
        // The first one's end is lost; the third one's stands before its request.
        let entries = AuditHistory.entries([
            check(0, .request, "accepted", call: "a"), check(1, .request, "accepted", call: "b"),
            check(3, .callEnd, "BtrfsError", call: "b"), check(4, .callEnd, "done", call: "c"),
            check(4.1, .request, "accepted", call: "c"),
        ])
        #expect(entries.map(\.call) == ["a", "b", "c"])
        #expect(entries.map(\.outcome) == [.accepted, .over, .over])
        #expect(entries.map(\.state) == [nil, "BtrfsError", "done"])
    }

    @Test func whatGoesOnAfterAShutdownWasAskedForByTheServiceItself() {
        let detail = AuditRecord.goesOn + ", as job 0 was interrupted"
        let entries = AuditHistory.entries([
            // Of a call that never came: it is none of the job's that goes on.
            Sample.policy(0), Sample.service(1, job: Sample.job, detail: detail),
            Sample.service(9, .jobEnd, job: Sample.job, outcome: "done", savedBytes: 5),
        ])
        #expect(entries.map(\.decision) == [.allowed, .continued])
        #expect(entries.map(\.outcome) == [.notReached, .over])
        #expect(entries.map(\.caller) == ["mgmt", "mgmt"])
    }

    @Test func whatWasSetIsKeptWhenTheCallEnds() {
        let entries = AuditHistory.entries([
            Sample.service(
                0, .request, "btrfs.NewData", "", detail: "zstd", call: "a"),
            Sample.service(1, .callEnd, "btrfs.NewData", "", outcome: "done", call: "a"),
        ])
        #expect(entries.map(\.setting) == ["zstd"])
        #expect(entries.map(\.detail) == [nil])
    }

    @Test func anEstimateHasSavedNothing() {
        let entries = AuditHistory.entries([
            Sample.service(0, .request, "btrfs.Estimate", job: Sample.job),
            Sample.service(
                1, .jobEnd, "btrfs.Estimate", job: Sample.job, outcome: "done", savedBytes: 0),
        ])
        #expect(entries.map(\.state) == ["done"])
        #expect(entries.map(\.savedBytes) == [nil])
    }

    @Test func policyMayBeASecondLate() {
        let word = [Sample.policy(0.5), Sample.policy(0.9)]
        let entries = AuditHistory.entries(word + [Sample.service(0)])
        #expect(entries.map(\.outcome) == [.accepted, .notReached])
        #expect(entries.map(\.decision) == [.allowed, .allowed])
        // One that was there in time goes before.
        let both = AuditHistory.entries([Sample.policy(-1)] + word + [Sample.service(0)])
        #expect(both.map(\.outcome) == [.accepted, .notReached, .notReached])
    }

    @Test func aJobMayBeginBeforeItsRequestIsThere() {
        let late = [
            Sample.policy(0), Sample.service(0.2, .jobEnd, job: Sample.job, outcome: "done"),
            Sample.service(0.3, .jobStart, job: Sample.job, outcome: "running"),
            Sample.service(0.4, job: Sample.job),
        ]
        let entries = AuditHistory.entries(late)
        #expect(entries.map(\.decision) == [.allowed])
        #expect(entries.map(\.state) == ["done"])
        #expect(entries.map(\.startedAt) == [Sample.start])
    }

    @Test func aUUIDIsTheNameThatAnyCallTold() {
        let uuid = "uuid:6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c1"
        let entries = AuditHistory.entries([
            Sample.policy(
                0, "btrfs.Dedupe", target: uuid, verdict: .denied(reason: "no rule", rule: nil)),
            Sample.policy(1, "btrfs.Check", target: uuid),
            Sample.service(1.1, .request, "btrfs.Check"),
            Sample.service(2, target: uuid, outcome: "BtrfsBusyError"),
        ])
        #expect(entries.map(\.target) == ["work", "work", "work"])
        #expect(entries.map(\.decision) == [.denied, .allowed, .unknown])
    }

    @Test func aCallAboutAJobIsAboutItsQube() {
        let cancel = [
            Sample.policy(5, "btrfs.job.Cancel", Sample.job, target: "dom0"),
            Sample.service(
                5.1, .request, "btrfs.job.Cancel", Sample.job, target: "dom0", job: Sample.job),
            Sample.policy(
                6, "btrfs.job.Pause", Sample.job, caller: "other", target: "dom0",
                verdict: .denied(reason: "no rule", rule: nil)),
            Sample.service(
                7, .request, "btrfs.job.Resume", "ffffffffffffffffffff", target: "dom0"),
        ]
        let entries = AuditHistory.entries(Sample.wholeCall + cancel)
        #expect(entries.map(\.target) == ["work", "work", "work", "dom0"])
        #expect(entries[1].service == "btrfs.job.Cancel" && entries[1].decision == .allowed)
        #expect(entries[2].decision == .denied)
    }

    @Test func aCallIsFollowedFromPolicyToTheEndOfItsJob() {
        let entry = AuditEntry(
            askedAt: Sample.start, caller: "mgmt", service: "btrfs.Compress", argument: "private",
            target: "work", decision: .allowed, outcome: .over, state: "done", job: Sample.job,
            startedAt: Sample.start + 1, endedAt: Sample.start + 61, savedBytes: 5 << 20)
        #expect(AuditHistory.entries(Sample.wholeCall) == [entry])
    }

    @Test func theOrderOfTheLinesDoesNotMatter() {
        let entries = AuditHistory.entries(Sample.wholeCall)
        #expect(AuditHistory.entries(Sample.wholeCall.reversed()) == entries)
    }

    @Test(arguments: [
        (
            PolicyLine.Verdict.denied(reason: "denied by policy /a:6", rule: "/a:6"),
            AuditEntry.Decision.denied, "/a:6" as String?, nil as String?
        ),
        (
            .denied(reason: "no matching rule found", rule: nil), .denied, nil,
            "no matching rule found"
        ),
        (.deniedByUser(rule: "/a:1"), .deniedByUser, "/a:1", nil),
        (
            .failed(reason: "error loading policy: /a:7: bad"), .policyError, nil,
            "error loading policy: /a:7: bad"
        ),
        (.allowed, .allowed, nil, nil),
    ])
    func whatNeverCameToTheServiceIsAnEntryOfItsOwn(
        verdict: PolicyLine.Verdict, decision: AuditEntry.Decision, rule: String?, reason: String?
    ) throws {
        let entries = AuditHistory.entries([Sample.policy(3, verdict: verdict)])
        let entry = try #require(entries.first)
        #expect(entries.count == 1)
        #expect(entry.outcome == .notReached)
        #expect(entry.decision == decision)
        #expect(entry.rule == rule)
        #expect(entry.reason == reason)
        #expect(entry.askedAt == Sample.start + 3)
    }

    @Test func aCallThatTheServiceRefusedSaysWhy() {
        let entries = AuditHistory.entries([
            Sample.policy(0, target: "@default"),
            Sample.service(
                0.1, target: "@default", outcome: "QubesValueError", detail: "a target"),
        ])
        #expect(entries.map(\.outcome) == [.refused])
        #expect(entries.map(\.decision) == [.allowed])
        #expect(entries.map(\.state) == ["QubesValueError"])
        #expect(entries.map(\.detail) == ["a target"])
    }

    @Test func nobodyAsksPolicyForDom0() {
        let calls = AuditHistory.entries([
            Sample.policy(0, caller: "dom0"), Sample.service(0.1, caller: "dom0"),
        ])
        #expect(calls.map(\.decision) == [.allowed, .dom0])
    }

    @Test func aWordOfPolicyIsForOneCallAlone() {
        let entries = AuditHistory.entries([
            Sample.policy(0), Sample.service(0.1), Sample.service(0.2),
        ])
        #expect(entries.map(\.decision) == [.allowed, .unknown])
    }

    @Test func theNearestWordOfPolicyIsTheCalls() {
        let entries = AuditHistory.entries([
            Sample.policy(0), Sample.policy(50), Sample.service(50.1),
        ])
        #expect(entries.map(\.outcome) == [.notReached, .accepted])
    }

    @Test(arguments: [
        Sample.policy(1, "btrfs.Dedupe"), Sample.policy(1, "btrfs.Compress", "root"),
        Sample.policy(1, caller: "other"), Sample.policy(1, target: "vault"),
        Sample.policy(3.1), Sample.policy(-118.1),
        Sample.policy(1, verdict: .denied(reason: "x", rule: nil)),
    ])
    func anotherWordOfPolicyIsNotTheCalls(word: JournalEntry) {
        let entries = AuditHistory.entries([word, Sample.service(2)])
        #expect(entries.count == 2)
        #expect(entries.contains { $0.outcome == .accepted && $0.decision == .unknown })
    }

    @Test(arguments: [
        ("@adminvm", "dom0"), ("dom0", "@adminvm"),
        ("uuid:6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c1", "work"),
        ("work", "uuid:6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c1"),
    ])
    func aTargetMayHaveTwoNames(policy: String, service: String) {
        let entries = AuditHistory.entries([
            Sample.policy(0, target: policy), Sample.service(1, target: service),
        ])
        #expect(entries.map(\.decision) == [.allowed])
    }

    @Test func aJobSaysWhichQubeAUUIDWas() {
        let entries = AuditHistory.entries([
            Sample.service(0, target: "uuid:6f1c", job: Sample.job),
            Sample.service(1, .jobStart, job: Sample.job, outcome: "running"),
        ])
        #expect(entries.map(\.target) == ["work"])
        #expect(entries.map(\.outcome) == [.running])
    }

    @Test func aJobWhoseRequestIsForgottenIsThere() {
        let entries = AuditHistory.entries(Array(Sample.wholeCall.dropFirst(2)))
        #expect(entries.map(\.decision) == [.unknown])
        #expect(entries.map(\.state) == ["done"])
    }

    @Test func aJobThatWasAskedAboutIsNotStartedByIt() {
        let entries = AuditHistory.entries([
            Sample.service(0, .request, "btrfs.job.Watch", Sample.job, job: Sample.job)
        ])
        #expect(entries.map(\.outcome) == [.accepted])
    }

    @Test func aReportEndsOnce() {
        func report(_ seconds: Double, _ event: AuditEvent, _ outcome: String)
            -> JournalEntry
        {
            Sample.service(seconds, event, "btrfs.Report", "", outcome: outcome)
        }
        let entries = AuditHistory.entries([
            report(0, .request, "accepted"), report(1, .request, "accepted"),
            report(2, .callEnd, "done"), report(3, .callEnd, "BtrfsError"),
            report(4, .callEnd, "done"),
        ])
        #expect(entries.map(\.state) == ["done", "BtrfsError"])
        #expect(entries.map(\.endedAt) == [Sample.start + 2, Sample.start + 3])
    }
}
