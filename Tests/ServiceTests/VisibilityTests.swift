// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Qubes
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import Service

@Suite struct VisibilityTests {
    @Test(arguments: ServiceName.allCases)
    func anUnknownAndAForbiddenQubeGetTheSameBytes(service: ServiceName) throws {
        let fixture = try ServiceFixture()
        let argument = service.takesJob ? JobID.random().text : ""
        let targets = [
            CallHeader.Target.name("nosuch"), .name("vault"),
            .name("uuid:" + ServiceFixture.uuid(4)),
            .name("uuid:" + ServiceFixture.uuid(0)),
            // What real qrexec makes of a name that does not exist.
            .keyword("default"), .keyword("dispvm"),
        ]
        let answers = try targets.map {
            try fixture.exchange(
                ServiceFixture.bytes(service.rawValue, argument, from: "admin", on: $0))
        }
        #expect(answers.allSatisfy { $0 == answers[0] })
        #expect(answers[0] == Envelope.exception(Refusal.noSuchQube.exception).encoded())
    }

    @Test func aVolumeOfAForbiddenQubeIsNotJudged() throws {
        let fixture = try ServiceFixture()
        let answers = try [("vault", "private"), ("vault", "nosuch"), ("nosuch", "private")].map {
            try fixture.exchange(
                ServiceFixture.bytes("btrfs.Compress", $0.1, from: "admin", on: .name($0.0)))
        }
        #expect(answers.allSatisfy { $0 == answers[0] })
    }

    @Test func aUUIDMeansItsQube() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit(
            from: "admin", on: .name("uuid:" + ServiceFixture.uuid(3)))
        #expect(try fixture.end(of: job).target == "work")
        // Not the first one of all.
        let other = try fixture.submit(on: .name("uuid:" + ServiceFixture.uuid(5)))
        #expect(try fixture.end(of: other).target == "other")
    }

    @Test func withoutQubesdNobodyButDom0IsAnswered() throws {
        let fixture = try ServiceFixture(hasQubesd: false)
        for service in [ServiceName.report, .compress, .jobList] {
            #expect(try fixture.exception(service, from: "admin")?.kind == .failed)
            #expect(
                try fixture.exception(service, from: "admin", on: .name("dom0"))?.kind == .failed)
        }
        #expect(try fixture.isAlive())
        #expect(try fixture.history().isEmpty)
    }

    @Test func aJobIsShownToWhoSeesItsQube() throws {
        let fixture = try ServiceFixture()
        let work = try fixture.submit(from: "dom0", on: .name("work"))
        let vault = try fixture.submit(from: "dom0", on: .name("vault"))
        func listed(_ caller: String, on target: String = "dom0") throws -> Set<String> {
            let list = try fixture.reply(
                JobList.self, .jobList, from: caller, on: .name(target))
            return Set(list.jobs.map(\.job))
        }
        #expect(try listed("dom0") == [work, vault])
        #expect(try listed("admin") == [work])
        #expect(try listed("other") == [])
        #expect(try listed("dom0", on: "vault") == [vault])
        #expect(try listed("admin", on: "deb") == [])
    }

    @Test func aJobOnTheMachineIsShownToWhoAskedForItAlone() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit(from: "other", on: .name("dom0"))
        #expect(try fixture.end(of: job, from: "other").state == .done)
        let list = try fixture.reply(JobList.self, .jobList, from: "admin", on: .name("dom0"))
        #expect(list.jobs.isEmpty)
    }

    @Test(arguments: ServiceName.allCases.filter(\.takesJob))
    func anUnknownAndAnInvisibleJobGetTheSameBytes(service: ServiceName) throws {
        let fixture = try ServiceFixture()
        let invisible = try fixture.submit(from: "dom0", on: .name("vault"))
        let visible = try fixture.submit(from: "dom0", on: .name("work"))
        func answer(_ job: String, on target: String) throws -> [UInt8] {
            try fixture.exchange(
                ServiceFixture.bytes(service.rawValue, job, from: "admin", on: .name(target)))
        }
        let unknown = try answer(JobID.random().text, on: "dom0")
        #expect(unknown == Envelope.exception(Refusal.noSuchJob.exception).encoded())
        #expect(try answer(invisible, on: "dom0") == unknown)
        // Policy may allow a caller the jobs of one qube: the others are none of its.
        #expect(try answer(visible, on: "deb") == unknown)
    }

    @Test func aResultNamesNoFileOfAQubeThatItsReaderDoesNotSee() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit(from: "admin")
        let files = try fixture.end(of: job, from: "admin").result?.problems.map(\.subject)
        #expect(files == ["work:private, appvms/work/private.img"])
        let list = try fixture.reply(JobList.self, .jobList, from: "admin")
        #expect(list.jobs.first?.result?.problems.count == 1)
        #expect(try fixture.end(of: job).result?.problems.count == 2)
    }

    @Test func whatTheDiskDidNotGiveBackIsToldToWhoSeesTheQube() {
        func place(_ qube: String) -> UnreadablePlace {
            UnreadablePlace(
                qube: qube, volume: "private", image: "appvms/\(qube)/private.img",
                offsetBytes: 4096, lengthBytes: 4096, copies: ["vault:private, x at 0"])
        }
        var record = JobRecord(
            job: JobID.random().text, operation: .dedupe, caller: "admin", target: "work",
            argument: "", submittedAt: 0)
        record.result = Samples.result
        record.result?.unreadable = [place("work"), place("vault")]
        record.result?.unreadableCount = 9
        record.result?.deviceErrors = [DeviceErrorCounts(device: "/dev/sda2", reads: 1)]
        let own = Target(
            caller: .machine, inventory: Inventory(pools: [], qubes: []), qube: nil,
            systemDirectories: [])
        #expect(Reader(own).visible(record).result == record.result)
        let ofWork = reader().visible(record).result
        #expect(ofWork?.unreadable?.map(\.qube) == ["work"])
        #expect(ofWork?.unreadable?.first?.copies == nil)
        #expect(ofWork?.unreadableCount == 1 && ofWork?.deviceErrors == nil)
        let ofNobody = reader(of: nil, seeing: ["other"]).visible(record).result
        #expect(ofNobody?.unreadable == nil && ofNobody?.unreadableCount == nil)
    }

    @Test func whatIsBeingDeletedIsToldToDom0Alone() {
        var report = Samples.report(qubes: [])
        report.machine = MachineFigures(
            everything: Figures(), others: Figures(), savedByCompressionBytes: 0,
            savedBySharingBytes: 0)
        report.machine?.deletedSubvolumes = 1
        report.machine?.deletedSubvolumesBytes = 2
        report.machine?.holders = [
            SpaceHolder(path: "snapshots/1", isSnapshot: true, diskBytes: 3, exclusiveBytes: 1)
        ]
        report.machine?.holdersBytes = 1
        report.machine?.heldOfQubes = [HeldOfQube(qube: "vault", bytes: 2)]
        let own = Target(
            caller: .machine, inventory: Inventory(pools: [], qubes: []), qube: nil,
            systemDirectories: [])
        #expect(Reader(own).visible(report).machine?.deletedSubvolumesBytes == 2)
        let others = reader(of: nil, seeing: ["work", "dom0"]).visible(report).machine
        #expect(others != nil && others?.deletedSubvolumes == nil)
        #expect(others?.deletedSubvolumesBytes == nil)
        #expect(Reader(own).visible(report).machine?.holders?.count == 1)
        #expect(others?.holders == nil && others?.holdersBytes == nil)
        #expect(others?.heldOfQubes == nil)
    }

    /// What a reader that sees `work` alone, and asks about it, reads of this.
    private func reader(
        of target: String? = "work", seeing visible: Set<String> = ["work"]
    ) -> Reader {
        func volume(_ qube: String, pool: String) -> Volume {
            Volume(
                name: "private", pool: pool, identifier: "appvms/\(qube)/private",
                snapshotOnStart: false, saveOnStop: true, sizeBytes: 0)
        }
        let inventory = Inventory(
            pools: ["one", "two"].map {
                Pool(name: $0, driver: Pool.imageDriver, directory: "/var/lib/\($0)")
            },
            qubes: [
                Qube(name: "work", kind: "AppVM", volumes: [volume("work", pool: "one")]),
                Qube(name: "workshop", kind: "AppVM", volumes: [volume("workshop", pool: "two")]),
            ])
        return Reader(
            Target(
                caller: Caller(name: "work", visibility: .qubes(visible)), inventory: inventory,
                qube: target.flatMap { inventory.qube(named: $0) }, systemDirectories: []))
    }

    @Test func aSubjectIsJudgedByWhatItIs() {
        let shown: [(Subject?, String?)] = [
            (.qube("work"), "work"), (.qube("workshop"), nil), (.qube(""), nil),
            (
                .image(qube: "work", volume: "root", path: "appvms/work/root.img"),
                "work:root, appvms/work/root.img"
            ),
            (.image(qube: "workshop", volume: "root", path: "appvms/work/root.img"), nil),
            (.pools(["one"]), "pool one"), (.pools(["two"]), nil), (.pools([]), nil),
            (.pools(["two", "one"]), "pool one"), (.machine, nil), (nil, nil),
        ]
        for (subject, text) in shown { #expect(reader().subject(subject)?.text == text) }
        #expect(reader(of: nil).subject(.machine) == .machine)
        // dom0 shown by policy is dom0's pools as well, for who asks about the machine.
        let both = reader(of: nil, seeing: ["work", "dom0"])
        #expect(both.subject(.pools(["two"])) == .pools(["two"]))
    }

    @Test func whatIsAboutAnotherQubeThanWasAskedAboutIsNoAnswer() {
        let reader = reader(of: nil, seeing: ["work", "workshop"]).asking(about: ["work"])
        #expect(reader.subject(.qube("workshop")) == nil)
        #expect(reader.subject(.pools(["one", "two"])) == .pools(["one"]))
        let own = Target(
            caller: .machine, inventory: Inventory(pools: [], qubes: []), qube: nil,
            systemDirectories: [])
        let problems = ["work", "workshop"].map { Report.Problem(.qube($0), "") }
        let ofWork = Reader(own).asking(about: ["work"])
        #expect(ofWork.problems(problems).map(\.subject) == ["work"])
    }

    @Test func aProblemThatDoesNotSayWhatItIsAboutIsForDom0Alone() {
        let problems = [Report.Problem(subject: "work", message: "")]
        #expect(reader().problems(problems).isEmpty)
        let own = Target(
            caller: .machine, inventory: Inventory(pools: [], qubes: []), qube: nil,
            systemDirectories: [])
        #expect(Reader(own).problems(problems) == problems)
    }

    @Test func aRecordNamesNoCallerAndNoPoolThatItsReaderDoesNotSee() {
        var record = JobRecord(
            job: JobID.random().text, operation: .compress, caller: "mgmt", target: "work",
            argument: "", submittedAt: 1)
        record.result = Samples.result
        record.result?.before[0].pools = ["one", "two"]
        record.result?.after[0].pools = ["two"]
        let seen = reader().visible(record)
        #expect(seen.caller == JobRecord.unnamedCaller)
        #expect(seen.result?.before[0].pools == ["one"])
        #expect(seen.result?.after[0].pools == [])
        record.caller = "dom0"
        #expect(reader().visible(record).caller == "dom0")
        record.caller = "work"
        #expect(reader().visible(record).caller == "work")
    }

    @Test func noErrorTellsACallerOfPathsOfDom0() {
        let text = "It is damaged (/dev/sda2: 1 error). Nothing was begun. See '/mnt' there."
        #expect(text.withoutPaths == "Nothing was begun")
        #expect("Read-only.".withoutPaths == "Read-only.")
        #expect("a/b is 3/4 of it".withoutPaths == "a/b is 3/4 of it")
        #expect("/dev/sda2 is bad.".withoutPaths.hasPrefix("It failed. The log in dom0"))
        var record = JobRecord(
            job: JobID.random().text, operation: .compress, caller: "work", target: "work",
            argument: "", submittedAt: 1)
        record.error = text
        #expect(reader().visible(record).error == "Nothing was begun")
    }

    @Test func aCallerLearnsNoPoolOnWhichItSeesNoQube() throws {
        let fixture = try ServiceFixture { settings in
            try ServiceFixture.write(
                ServiceFixture.inventory.replacing(
                    "<pool name=\"linux-kernel\"",
                    with: "<pool name=\"secret\" dir_path=\"/x\" driver=\"file-reflink\"/>"
                        + "<pool name=\"linux-kernel\""), to: settings.qubesXML)
        }
        let asked = try ["pool.secret", "pool.nosuch"].map {
            try fixture.call(.report, $0, from: "other", on: .name("dom0")).encoded()
        }
        #expect(asked[0] == asked[1])
        #expect(!String(decoding: asked[0], as: UTF8.self).contains("secret"))
    }

    @Test func aWatchEndsWithTheRightToIt() throws {
        var bounds = Bounds()
        bounds.standingSeconds = 0.05
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result", bounds: bounds)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        let socket = try fixture.connect()
        try socket.send(ServiceFixture.bytes("btrfs.job.Watch", job, from: "admin"))
        try socket.shutdownWriting()
        _ = try socket.read(maximumBytes: 1)
        fixture.qubesd?.change { $0.visible["admin"] = ["admin"] }
        let text = String(decoding: try ServiceFixture.answer(on: socket), as: UTF8.self)
        #expect(text.contains("QubesVMNotFoundError"))
        try fixture.openGate()
        #expect(try fixture.end(of: job).state == .done)
    }

    @Test func whatACallerDoesNotSeeIsComparedWithNothing() throws {
        let lists = #"<feature name="btrfs.dedupe-group.x">work vault deb</feature>"#
        let fixture = try ServiceFixture()
        try fixture.writeInventory(adminFeatures: lists)
        func groups(_ caller: String) throws -> [String: String] {
            _ = try fixture.end(of: fixture.submit(.dedupe, from: caller), from: caller)
            let volumes = try fixture.order().volumes.filter { $0.name == "private" }
            return Dictionary(uniqueKeysWithValues: volumes.map { ($0.qube, $0.dedupeGroup) })
        }
        let own = try groups("dom0")
        #expect(own["work"] == own["vault"] && own["work"] == own["deb"])
        let other = try groups("admin")
        #expect(other["work"] == own["work"] && other["deb"] == own["deb"])
        #expect(other["vault"] == "volume:varlibqubes:appvms/vault/private")
    }

    @Test func qubesdIsAskedOnceForManyCallsOfACaller() throws {
        let fixture = try ServiceFixture(visibilitySeconds: 60)
        for _ in 0..<20 { _ = try fixture.call(.jobList, from: "admin") }
        _ = try fixture.call(.jobList, from: "other", on: .name("other"))
        #expect(fixture.qubesd?.calls.count == 2)
    }
}
