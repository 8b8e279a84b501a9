// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// Which qubes a report is about, what it may name, and what is kept of it.
@Suite struct ReportChoiceTests {
    /// `work` starts from `deb`, `admin` from `work`, and `other` from `vault`, which it does not
    /// see.
    private static func withTemplates(_ worker: String = "say report") throws -> ServiceFixture {
        try ServiceFixture(worker: worker) { settings in
            var xml = ServiceFixture.inventory
            for (qube, template) in [("work", "deb"), ("other", "vault"), ("admin", "work")] {
                let name = "<property name=\"name\">\(qube)</property>"
                xml = xml.replacing(
                    name, with: name + "<property name=\"template\">\(template)</property>")
            }
            try ServiceFixture.write(xml, to: settings.qubesXML)
        }
    }

    private func selected(_ fixture: ServiceFixture) throws -> Set<String> {
        Set(try fixture.order().volumes.filter(\.selected).map(\.qube))
    }

    @Test func namesNarrowAReportOfTheMachine() throws {
        let fixture = try Self.withTemplates()
        _ = try fixture.call(
            .report, from: "admin", on: .name("dom0"),
            payload: #"{"version":1,"qubes":["work","deb"]}"#)
        #expect(try selected(fixture) == ["work", "deb"])
        // The others are there, as they may share.
        #expect(Set(try fixture.order().volumes.map(\.qube)).contains("vault"))
    }

    @Test func aTemplateStandsForAllThatStartFromIt() throws {
        let fixture = try Self.withTemplates()
        _ = try fixture.call(
            .report, on: .name("dom0"), payload: #"{"version":1,"template":"deb"}"#)
        #expect(try selected(fixture) == ["deb", "work", "admin"])
        let families = try fixture.order().volumes.filter(\.selected).map(\.family)
        #expect(Set(families) == ["deb"])
    }

    @Test func onlyQubesInUseAreLeftByRunning() throws {
        let fixture = try Self.withTemplates()
        _ = try fixture.call(.report, on: .name("dom0"), payload: #"{"version":1,"running":true}"#)
        #expect(try selected(fixture).isEmpty)
        #expect(try !fixture.order().volumes.isEmpty)
    }

    @Test func anUnknownAndAForbiddenNameGetTheSameBytes() throws {
        let fixture = try Self.withTemplates()
        for key in [#""qubes":["work","NAME"]"#, #""template":"NAME""#] {
            let answers = try ["vault", "nosuch"].map { name in
                try fixture.call(
                    .report, from: "admin", on: .name("dom0"),
                    payload: "{\"version\":1,\(key.replacing("NAME", with: name))}"
                ).encoded()
            }
            #expect(answers[0] == answers[1])
            #expect(String(decoding: answers[0], as: UTF8.self).contains("QubesVMNotFoundError"))
        }
    }

    @Test func aQubeAsTargetCannotBeNarrowed() throws {
        let fixture = try Self.withTemplates()
        let exception = try fixture.exception(
            .report, on: .name("work"), payload: #"{"version":1,"running":true}"#)
        #expect(exception?.kind == .badRequest)
        let names = String(repeating: #""a","#, count: Limits.requestNames) + #""a""#
        #expect(
            try fixture.exception(
                .report, on: .name("dom0"), payload: "{\"version\":1,\"qubes\":[\(names)]}"
            )?.kind == .badRequest)
    }

    @Test func aForbiddenTemplateIsNamedNowhere() throws {
        let fixture = try Self.withTemplates(
            "sed 's/\"name\":\"work\"/\"name\":\"other\"/' \"$cache/report.json\"")
        let answer = try fixture.call(.report, from: "other", on: .name("dom0"))
        let report = try ServiceFixture.object(Report.self, answer)
        #expect(report.qubes.map(\.name) == ["other"])
        #expect(report.qubes[0].template == nil)
        #expect(report.qubes[0].isRunning == false)
        #expect(!String(decoding: answer.encoded(), as: UTF8.self).contains("vault"))
        #expect(Set(try fixture.order().volumes.compactMap(\.family)) == ["other"])
    }

    @Test func setsThatAWorkerGivesAreJudgedAgain() throws {
        var report = Samples.report(qubes: ["work", "vault"])
        report.families = [
            QubeSet(name: "vault", qubes: ["vault", "work"], figures: Figures()),
            QubeSet(name: "deb", qubes: ["vault", "work"], figures: Figures()),
        ]
        report.groups = [QubeSet(name: "secret", qubes: ["work"], figures: Figures())]
        report.pools = [QubeSet(name: "varlibqubes", qubes: ["vault"], figures: Figures())]
        let json = String(
            decoding: try JSONEncoder().encode(WorkerMessage.report(report)), as: UTF8.self)
        let fixture = try ServiceFixture(worker: "say own") { settings in
            try ServiceFixture.write(json + "\n", to: settings.cacheDirectory.appending("own.json"))
        }
        let seen = try fixture.reply(Report.self, .report, from: "admin", on: .name("dom0"))
        #expect(seen.families?.map(\.name) == ["deb"])
        #expect(seen.families?.first?.qubes == ["work"])
        #expect(seen.groups == [] && seen.pools == [])
        let all = try fixture.reply(Report.self, .report, on: .name("dom0"))
        #expect(all.families?.count == 2 && all.groups?.count == 1)
    }

    // MARK: History

    @Test func totalsAreKeptAndShownToWhoAsksForTheMachineOnly() throws {
        let fixture = try ServiceFixture(worker: "say report")
        for _ in 0..<2 {
            _ = try fixture.call(.report, on: .name("dom0"))
        }
        let one = try fixture.reply(Report.self, .report, on: .name("work"))
        #expect(one.history == nil && one.machine == nil && one.fileSystems == [])
        try fixture.restart()
        let all = try fixture.reply(Report.self, .report, from: "admin", on: .name("dom0"))
        // Points of one hour are one.
        #expect(all.history?.map(\.dataUsedBytes) == [500])
        #expect(all.history?.first?.at == 1_700_000_000)
    }

    @Test func aJobsEndIsAPointOfHistory() throws {
        let fixture = try ServiceFixture(
            worker: "case $(cat \"$cache/order\") in *report*) say report;; *) say result;; esac")
        _ = try fixture.end(of: fixture.submit())
        let report = try fixture.reply(Report.self, .report, on: .name("dom0"))
        let job = try #require(report.history?.first { $0.operation != nil })
        #expect(job.operation == "compress" && job.savedBytes == 200)
        #expect(job.dataUsedBytes == 500)
        // Another caller's history is of the jobs that it may know of.
        let seen = try fixture.reply(Report.self, .report, from: "admin", on: .name("dom0"))
        #expect(seen.history?.contains { $0.operation != nil } == true)
        let unseen = try fixture.reply(Report.self, .report, from: "other", on: .name("dom0"))
        #expect(unseen.history?.isEmpty == false)
        #expect(unseen.history?.contains { $0.operation != nil } == false)
    }

    @Test func historyIsThinnedOutAndABrokenFileIsBegunAnew() throws {
        let fixture = try ServiceFixture()
        let state = fixture.settings.stateDirectory
        try ServiceFixture.write("{", to: state.appending("history.json"))
        let audit = AuditLog(
            file: fixture.settings.logFile, journalSocket: fixture.settings.journalSocket,
            clock: .system)
        let store = HistoryStore(stateDirectory: state, audit: audit, limit: 40)
        for hour in 0..<200 as Range<Int64> {
            store.add(
                HistoryPoint(
                    at: hour * HistoryStore.stepSeconds, deviceBytes: 1,
                    dataUsedBytes: UInt64(hour), metadataUsedBytes: 0, unallocatedBytes: 0))
            #expect(store.all(with: []).count <= 40)
        }
        let kept = HistoryStore(stateDirectory: state, audit: audit, limit: 40).all(with: [])
        #expect(kept == store.all(with: []))
        #expect(kept.last?.dataUsedBytes == 199 && kept.count >= 30)
        #expect(kept.first?.dataUsedBytes == 0)
    }

    // MARK: Gains

    private static func record(
        _ operation: Protocol.Operation, _ target: String, at moment: Int64, saved: UInt64 = 0
    ) -> JobRecord {
        var record = JobRecord(
            job: "j\(moment)", operation: operation, caller: "dom0", target: target, argument: "",
            submittedAt: moment)
        record.state = .done
        record.endedAt = moment
        var result = Samples.result
        if operation == .estimate {
            let saving = Estimate.Saving(savedBytes: saved, errorBytes: 0)
            let figures = Estimate.Figures(
                diskBytes: 0, dedupe: saving,
                levels: [.init(level: nil, compress: saving, optimize: saving)])
            result.estimate = Estimate(
                total: figures,
                qubes: (target == "dom0" ? ["work", "vault"] : [target]).map {
                    .init(name: $0, figures: figures, volumes: [])
                },
                qubesLeftOut: 0, sampledFrames: 1)
        }
        record.result = result
        return record
    }

    @Test func whatRemainsToBeGainedIsFromTheLastEstimateWithNoJobSince() {
        let old = Self.record(.estimate, "dom0", at: 1, saved: 100)
        let job = Self.record(.compress, "work", at: 2)
        let new = Self.record(.estimate, "vault", at: 3, saved: 7)
        func report(
            _ records: [JobRecord], for caller: Caller = .machine
        ) -> Report {
            var report = Samples.report(qubes: ["work", "vault"])
            report.machine = MachineFigures(
                everything: Figures(), others: Figures(), savedByCompressionBytes: 0,
                savedBySharingBytes: 0)
            report.addEstimates(
                JobArchive(history: records.reversed()).records(for: caller), for: caller)
            return report
        }
        let first = report([old])
        #expect(first.qubes[0].gains?.map(\.operation) == ["optimize", "compress", "dedupe"])
        #expect(
            first.machine?.gains.first == Gain(operation: "optimize", bytes: 100, measuredAt: 1))
        let later = report([new, job, old])
        #expect(later.qubes[0].gains == nil)
        #expect(later.qubes[1].gains?.first?.bytes == 7)
        #expect(later.machine?.gains == [])
        var theirs = old
        theirs.caller = "admin"
        #expect(report([theirs]).machine?.gains == [])
        // What was asked for by dom0 tells another caller nothing.
        let other = report(
            [old], for: Caller(name: "admin", visibility: .qubes(["work"])))
        #expect(other.qubes.allSatisfy { $0.gains == nil } && other.machine?.gains == [])
    }

    // MARK: Check

    @Test func aCheckIsOfWhatTheCallerSees() throws {
        func image(_ qube: String) -> Subject { .image(qube: qube, volume: "root", path: nil) }
        let pools = Subject.pools(["varlibqubes", "secret"])
        let all: [CheckReport.Finding] = [
            .init(.good, "kernel", about: .machine, "the kernel is 6.12"),
            .init(.problem, "image.nocow", about: image("work"), "a"),
            .init(.problem, "image.nocow", about: image("deb"), "b"),
            .init(.problem, "image.nocow", about: image("vault"), "c"),
            .init(.warning, "image.fragments", about: .qube("vault"), "d"),
            .init(.warning, "space.data", about: pools, "e", command: "f"),
            .init(.warning, "space.data", about: .pools(["secret"]), "g"),
            // One that does not say what it is about.
            .init(.warning, "work", "work", "h"),
        ]
        let check = CheckReport(checkedAt: 1, findings: all)
        let json = String(
            decoding: try JSONEncoder().encode(WorkerMessage.check(check)), as: UTF8.self)
        let fixture = try ServiceFixture(worker: "say check") { settings in
            try ServiceFixture.write(
                json + "\n", to: settings.cacheDirectory.appending("check.json"))
        }
        func read(_ caller: String, _ target: String) throws -> [CheckReport.Finding] {
            try fixture.reply(CheckReport.self, .check, from: caller, on: .name(target)).findings
        }
        #expect(try read("dom0", "dom0") == all)
        #expect(try selected(fixture) == ["admin", "deb", "dom0", "other", "vault", "work"])
        #expect(try fixture.order().work == .check && fixture.order().wholeMachine)
        // It sees dom0, and so may know how each file system is.
        let machine = try read("admin", "dom0")
        #expect(machine.map(\.message) == ["the kernel is 6.12", "a", "b", "e", "g"])
        #expect(try selected(fixture) == ["admin", "deb", "dom0", "work"])
        // What features say is of the service's own making.
        let work = try read("admin", "work").filter { $0.topic != "settings" }
        #expect(work.map(\.message) == ["a", "e"])
        #expect(work.last?.subject == "pool varlibqubes" && work.last?.command == nil)
        #expect(try !fixture.order().wholeMachine)
        // It sees itself alone, and asks about the machine.
        #expect(try read("other", "dom0").map(\.message) == ["the kernel is 6.12", "e"])
        #expect(
            try fixture.exception(.check, from: "admin", on: .name("vault"))?.kind == .noSuchQube)
    }
}
