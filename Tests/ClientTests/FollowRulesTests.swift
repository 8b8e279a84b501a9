// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

/// When `follow` asks for what. No clock runs here: moments are values.
@Suite struct FollowRulesTests {
    private let start = ContinuousClock.now
    private let deb: QubeName
    private let work: QubeName

    init() throws {
        deb = try #require(QubeName("deb"))
        work = try #require(QubeName("work"))
    }

    private func minute(_ count: Double) -> FollowRules.Moment { start + .seconds(count * 60) }

    private func rules(_ changes: [(QubeChange, Double)], quiet: Int = 10) -> FollowRules {
        var rules = FollowRules(quiet: .seconds(quiet * 60))
        for (change, at) in changes { rules.take(change, at: minute(at)) }
        return rules
    }

    private func job(
        _ operation: Protocol.Operation = .optimize, on target: String = "deb",
        argument: String = "", exclude: [String]? = nil, state: JobState = .queued
    ) -> JobRecord {
        var record = JobRecord(
            job: JobID.random().text, operation: operation, caller: "dom0", target: target,
            argument: argument, exclude: exclude, submittedAt: 1000)
        record.state = state
        if state == .running || state == .done { record.startedAt = 1001 }
        return record
    }

    @Test func aQubeIsDueOnceWhenNothingWasHeardOfItForAWhile() {
        var rules = rules([(.stopped(deb), 0), (.stopped(deb), 4), (.filled(work), 6)])
        #expect(rules.nextDue == minute(14))
        #expect(rules.due(at: minute(13.9)).isEmpty)
        #expect(rules.due(at: minute(14)) == [deb])
        rules.drop(deb)
        #expect(rules.due(at: minute(15)).isEmpty)
        #expect(rules.due(at: minute(16)) == [work])
        rules.drop(work)
        #expect(rules.nextDue == nil)
    }

    @Test func whatStopsHasToHaveARootOfItsOwn() {
        let rules = rules([(.stopped(deb), 0), (.stopped(work), 0)])
        #expect(rules.verdict(deb, .ownRoot, []) == .ask)
        #expect(rules.verdict(work, .ownData, []) == .drop)
        #expect(rules.verdict(work, .passing, []) == .drop)
        // It is gone, or of a class that nobody knows here.
        #expect(rules.verdict(deb, nil, []) == .drop)
    }

    @Test func whatWasFilledIsWorthItWhateverItDoesMeanwhile() {
        let rules = rules([(.filled(work), 0), (.stopped(work), 1)])
        #expect(rules.verdict(work, .ownData, []) == .ask)
        #expect(rules.verdict(work, .passing, []) == .drop)
    }

    @Test func whatIsRemovedIsForgotten() {
        var rules = rules([(.filled(work), 0)])
        rules.take(.removed(work), at: minute(1))
        #expect(rules.nextDue == nil)
        #expect(rules.verdict(work, .ownData, []) == .drop)
    }

    @Test func oneThatWaitsForItOrForAllIsEnough() {
        let rules = rules([(.stopped(deb), 0)])
        func verdict(_ jobs: JobRecord...) -> FollowRules.Verdict {
            rules.verdict(deb, .ownRoot, jobs)
        }
        #expect(verdict(job()) == .drop)
        #expect(verdict(job(on: "dom0")) == .drop)
        #expect(verdict(job(state: .paused)) == .drop)
        // One that runs may have passed by what is new.
        #expect(verdict(job(state: .running)) == .later)
        #expect(verdict(job(on: "dom0", state: .running)) == .later)
        #expect(verdict(job(state: .running), job()) == .drop)
        // These do not do it.
        #expect(verdict(job(state: .done)) == .ask)
        #expect(verdict(job(.dedupe)) == .ask)
        #expect(verdict(job(argument: "private")) == .ask)
        #expect(verdict(job(on: "work")) == .ask)
        #expect(verdict(job(on: "dom0", exclude: ["deb"])) == .ask)
        #expect(verdict(job(on: "dom0", exclude: ["work"])) == .drop)
        #expect(verdict(job(on: "dom0", argument: "pool.other")) == .ask)
    }

    @Test func whatIsPutOffIsDueAgain() {
        var rules = rules([(.stopped(deb), 0)])
        rules.postpone(deb, until: minute(30))
        #expect(rules.due(at: minute(29)).isEmpty)
        #expect(rules.due(at: minute(30)) == [deb])
        rules.postpone(work, until: minute(30))
        #expect(rules.due(at: minute(30)) == [deb])
    }

    @Test func moreQubesThanThereCanBeAreNotRemembered() throws {
        var rules = FollowRules(quiet: .seconds(60))
        for number in 0..<(FollowRules.mostQubes + 10) {
            rules.take(.filled(try #require(QubeName("q\(number)"))), at: start)
        }
        #expect(rules.due(at: minute(1)).count == FollowRules.mostQubes)
        // Whatever is known already is put off as ever.
        rules.take(.stopped(try #require(QubeName("q0"))), at: minute(1))
        #expect(rules.due(at: minute(1)).count == FollowRules.mostQubes - 1)
    }

    @Test func qubesdIsCalledAgainEverMoreSeldom() {
        var backOff = BackOff()
        #expect((0..<8).map { _ in backOff.next() } == [1, 2, 4, 8, 16, 32, 60, 60])
        backOff.reset()
        #expect(backOff.next() == 1)
    }
}

/// What qubesd sends, as its own client reads it: kind, subject, name, fields, each ended by a NUL.
@Suite struct QubeChangeTests {
    private func change(_ text: String) throws -> QubeChange? {
        var reader = EnvelopeReader()
        reader.append(Array(text.utf8))
        return try reader.nextEvent().flatMap { QubeChange(untrusted: $0) }
    }

    @Test func theEventsThatSayThatDataIsNewAreUnderstood() throws {
        let deb = try #require(QubeName("deb-13"))
        #expect(try change("1\0deb-13\0domain-shutdown\0\0") == .stopped(deb))
        #expect(
            try change("1\0deb-13\0domain-volume-import-end\0volume\0root\0success\0True\0\0")
                == .filled(deb))
        #expect(try change("1\0deb-13\0domain-clone-files\0src\0deb\0\0") == .filled(deb))
        #expect(try change("1\0\0domain-add\0vm\0deb-13\0\0") == .filled(deb))
        #expect(try change("1\0\0domain-delete\0vm\0deb-13\0\0") == .removed(deb))
    }

    @Test func allOthersAreNot() throws {
        for text in [
            "1\0\0connection-established\0\0", "1\0deb\0domain-start\0start_guid\0True\0\0",
            "1\0deb\0domain-stopped\0\0", "1\0deb\0property-set:label\0name\0label\0\0",
            "1\0deb\0domain-volume-import-end\0volume\0root\0success\0False\0\0",
            "1\0deb\0domain-volume-import-end\0volume\0root\0\0", "1\0\0domain-add\0\0",
            "1\0\0domain-shutdown\0\0", "1\0dom0\0domain-shutdown\0\0",
        ] {
            #expect(try change(text) == nil, "\(text)")
        }
    }

    @Test func aNameThatNoQubeCanHaveIsNone() throws {
        for name in ["../etc", "-x", "a b", "a\nb", "é", String(repeating: "a", count: 32), "1a"] {
            #expect(try change("1\0\(name)\0domain-shutdown\0\0") == nil, "\(name)")
            #expect(try change("1\0\0domain-add\0vm\0\(name)\0\0") == nil, "\(name)")
        }
    }

    @Test func theKindsOfQubesAreRead() throws {
        func name(_ text: String) throws -> QubeName { try #require(QubeName(text)) }
        let kinds = QubeKind.all(
            untrustedList: """
                dom0 class=AdminVM state=Running uuid=00000000-0000-0000-0000-000000000000
                deb class=TemplateVM state=Halted uuid=6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c1
                own class=StandaloneVM state=Halted
                work class=AppVM state=Running
                disp12 class=DispVM state=Running
                far class=RemoteVM state=NA
                next class=LaterVM state=Halted
                ../x class=AppVM state=Halted

                word

                """)
        #expect(
            kinds == [
                try name("dom0"): .passing, try name("deb"): .ownRoot, try name("own"): .ownRoot,
                try name("work"): .ownData, try name("disp12"): .passing,
                try name("far"): .passing,
            ])
    }
}
