// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Qubes
import SystemCalls
import SystemPackage
import Testing

@testable import Service

@Suite struct VisibilityTests {
    @Test(arguments: ServiceName.allCases)
    func anUnknownAndAForbiddenQubeGetTheSameBytes(service: ServiceName) throws {
        let fixture = try ServiceFixture()
        let argument = service.takesJob ? Names.newJob() : ""
        let targets = [
            CallHeader.Target.name("nosuch"), .name("vault"),
            .name("uuid:" + ServiceFixture.uuid(4)),
            .name("uuid:" + ServiceFixture.uuid(0)),
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
        let unknown = try answer(Names.newJob(), on: "dom0")
        #expect(unknown == Envelope.exception(Refusal.noSuchJob.exception).encoded())
        #expect(try answer(invisible, on: "dom0") == unknown)
        // Policy may allow a caller the jobs of one qube: the others are none of its.
        #expect(try answer(visible, on: "deb") == unknown)
    }

    @Test func aResultNamesNoFileOfAQubeThatItsReaderDoesNotSee() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit(from: "admin")
        let files = try fixture.end(of: job, from: "admin").result?.problems.map(\.subject)
        #expect(files == ["appvms/work/private.img"])
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
            job: Names.newJob(), operation: .dedupe, caller: "admin", target: "work",
            argument: "", submittedAt: 0)
        record.result = Samples.result
        record.result?.unreadable = [place("work"), place("vault")]
        record.result?.unreadableCount = 9
        record.result?.deviceErrors = [DeviceErrorCounts(device: "/dev/sda2", reads: 1)]
        let inventory = Inventory(pools: [], qubes: [])
        func shown(_ visibility: Visibility) -> JobResult? {
            Redaction(visibility: visibility, inventory: inventory).record(record).result
        }
        #expect(shown(.everything) == record.result)
        let ofWork = shown(.qubes(["work"]))
        #expect(ofWork?.unreadable?.map(\.qube) == ["work"])
        #expect(ofWork?.unreadable?.first?.copies == nil)
        #expect(ofWork?.unreadableCount == 1 && ofWork?.deviceErrors == nil)
        let ofNobody = shown(.qubes(["other"]))
        #expect(ofNobody?.unreadable == nil && ofNobody?.unreadableCount == nil)
    }

    @Test(arguments: [
        ("work", true), ("varlibqubes", true), ("appvms/work/private-dirty.img", true),
        ("/var/lib/qubes/appvms/work/private.img", true), ("varlibqubes:appvms/work/root", true),
        ("vault", false), ("appvms/vault/private.img", false), ("appvms/workshop/root.img", false),
        ("appvms/work/private/../../vault", false), ("", false), ("anything else", false),
    ])
    func aSubjectIsShownWhenItIsOfAVisibleQube(subject: String, isShown: Bool) throws {
        let volume = Volume(
            name: "private", pool: "varlibqubes", identifier: "appvms/work/private",
            snapshotOnStart: false, saveOnStop: true, sizeBytes: 0)
        let root = Volume(
            name: "root", pool: "varlibqubes", identifier: "appvms/work/root",
            snapshotOnStart: false, saveOnStop: true, sizeBytes: 0)
        let inventory = Inventory(
            pools: [
                Pool(name: "varlibqubes", driver: Pool.imageDriver, directory: "/var/lib/qubes")
            ],
            qubes: [
                Qube(name: "work", kind: "AppVM", volumes: [volume, root]),
                Qube(name: "vault", kind: "AppVM"),
            ])
        let redaction = Redaction(visibility: .qubes(["work"]), inventory: inventory)
        let problem = Report.Problem(subject: subject, message: "")
        #expect(redaction.problems([problem]).isEmpty == !isShown)
    }
}
