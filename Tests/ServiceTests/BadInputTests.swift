// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// What a hostile caller may send. After each the daemon answers as before.
@Suite struct BadInputTests {
    private func refusal(
        _ fixture: ServiceFixture, _ bytes: [UInt8]
    ) throws -> ServiceException? {
        var reader = EnvelopeReader()
        reader.append(try fixture.exchange(bytes))
        #expect(try fixture.isAlive())
        guard case .exception(let exception) = try reader.last() else { return nil }
        return exception
    }

    @Test(arguments: [
        "", "btrfs.Report", "btrfs.Report+ work name\0", "btrfs.Report+ a name b extra\0",
        "btrfs.Report+ dom0 other work\0", "btrfs.Report+\u{1b} dom0 name work\0",
        "btrfs.Report+ dom0\nname work\0", "\0", "btrfs.Report+  name work\0",
        " dom0 name work\0", "btrfs.Report+ dom0 name \0",
    ])
    func aHeaderThatIsNotWellFormedIsRefused(header: String) throws {
        let fixture = try ServiceFixture()
        let exception = try refusal(fixture, Array(header.utf8))
        #expect(exception?.kind == .badRequest)
        #expect(exception?.message.contains("header") == true)
    }

    @Test func aHeaderAtItsLimitIsReadAndOneByteMoreIsNot() throws {
        let fixture = try ServiceFixture()
        let shortest = ServiceFixture.bytes("btrfs.Report", "").count
        func header(bytes: Int) -> [UInt8] {
            ServiceFixture.bytes("btrfs.Report", String(repeating: "a", count: bytes - shortest))
        }
        let longest = try refusal(fixture, header(bytes: Limits.headerBytes))
        #expect(longest?.message.contains("argument") == true)
        let tooLong = try refusal(fixture, header(bytes: Limits.headerBytes + 1))
        #expect(tooLong?.message.contains("header") == true)
    }

    @Test func aPayloadAtItsLimitIsReadAndOneByteMoreIsNot() throws {
        let fixture = try ServiceFixture()
        let payload = Array(#"{"version":1}"#.utf8)
        func bytes(_ count: Int) -> [UInt8] {
            let spaces = [UInt8](repeating: 0x20, count: count - payload.count)
            return ServiceFixture.bytes("btrfs.job.List", payload: payload + spaces)
        }
        #expect(try refusal(fixture, bytes(Limits.payloadBytes)) == nil)
        let tooLong = try refusal(fixture, bytes(Limits.payloadBytes + 1))
        #expect(tooLong == Payload.tooLong.exception)
    }

    @Test func aPayloadFarTooLongStillGetsItsAnswer() throws {
        let fixture = try ServiceFixture()
        let payload = [UInt8](repeating: 0x20, count: 900_000)
        let exception = try refusal(fixture, ServiceFixture.bytes("btrfs.Report", payload: payload))
        #expect(exception == Payload.tooLong.exception)
    }

    @Test(
        arguments: [
            ([0xff, 0xfe], "UTF-8"), (Array("{\"version\":1}\0".utf8), "UTF-8"),
            (Array("version".utf8), "JSON"), (Array("[1]".utf8), "JSON"), (Array(" ".utf8), "JSON"),
            (Array(#"{"version":1"#.utf8), "JSON"), (Array(#"{"version":1}{}"#.utf8), "JSON"),
            (Array(#"{"version":1,"x":[[[[]]]]}"#.utf8), "nested too deeply"),
            ([UInt8](repeating: UInt8(ascii: "["), count: 60_000), "JSON"),
            (Array(#"{"version":1,"shell":"secret"}"#.utf8), "version, level, running"),
            (Array(#"{"version":2}"#.utf8), "version 1"), (Array(#"{"level":3}"#.utf8), "version"),
            (Array(#"{"version":1,"level":20}"#.utf8), "-15 to 19"),
            (Array(#"{"version":1,"level":-16}"#.utf8), "-15 to 19"),
            (Array(#"{"version":1,"level":"3"}"#.utf8), "level has no value of the right kind"),
            (Array(#"{"version":1,"level":3.5}"#.utf8), "level has no value of the right kind"),
            (Array(#"{"version":1,"level":[3]}"#.utf8), "level has no value of the right kind"),
            (Array("{\"version\":1\(String(repeating: "0", count: 400))}".utf8), "version 1"),
            (Array(#"{"version":null}"#.utf8), "version is null"),
            (Array(#"{"version":1,"level":null}"#.utf8), "level is null"),
            (Array(#"{"version":1,"running":null}"#.utf8), "running is null"),
            (Array(#"{"version":1,"level":3,"level":9}"#.utf8), "a key twice"),
            (Array(#"{"version":1,"l\u0065vel":3,"level":9}"#.utf8), "a key twice"),
            (Array(#"{"version":1,"running":1}"#.utf8), "running"),
        ] as [([UInt8], String)])
    func aPayloadThatIsNotARequestIsRefusedWithAReason(
        payload: [UInt8], reason: String
    ) throws {
        let fixture = try ServiceFixture()
        let exception = try refusal(
            fixture, ServiceFixture.bytes("btrfs.Compress", payload: payload))
        #expect(exception?.kind == .badRequest)
        #expect(exception?.message.contains(reason) == true)
        #expect(exception?.message.contains("secret") == false)
    }

    @Test func anUnknownServiceIsRefused() throws {
        let fixture = try ServiceFixture()
        let exception = try refusal(fixture, ServiceFixture.bytes("btrfs.Format"))
        #expect(exception?.kind == .badRequest)
        #expect(exception?.message.contains("btrfs.Report") == true)
    }

    @Test(arguments: ["default", "dispvm", "anyvm", "dom0", "work", "dispvm:work"])
    func aKeywordNeverMeansTheMachineOrAQube(keyword: String) throws {
        let fixture = try ServiceFixture()
        for service in ServiceName.allCases {
            let exception = try refusal(
                fixture,
                ServiceFixture.bytes(
                    service.rawValue, service.takesJob ? JobID.random().text : "",
                    on: .keyword(keyword)))
            #expect(exception == Refusal.noSuchQube.exception)
        }
    }

    @Test(arguments: [
        "..", "-rf", "+", "+root", "root+", "a..b", ".", ".hidden", "uuid:x", "pool.varlibqubes",
        String(repeating: "a", count: Limits.argumentBytes + 1),
    ])
    func anArgumentThatIsNoVolumeIsRefused(argument: String) throws {
        let fixture = try ServiceFixture()
        for service in [ServiceName.report, .compress, .dedupe, .sparsify] {
            let exception = try refusal(
                fixture, ServiceFixture.bytes(service.rawValue, argument))
            let isPlain = argument == "pool.varlibqubes"
            #expect(exception?.kind == (isPlain ? .noSuchVolume : .badRequest))
        }
    }

    @Test(arguments: [
        "..", "-pool", "pool.", "pool...", "pool.a..b", "pool.-x", "root", "pool.+", "poolx",
    ])
    func anArgumentOfTheMachineThatIsNoPoolIsRefused(argument: String) throws {
        let fixture = try ServiceFixture()
        for service in [ServiceName.report, .compress, .sparsify] {
            let exception = try fixture.exception(service, argument, on: .name("dom0"))
            #expect(exception?.kind == .badRequest)
            #expect(exception?.message.contains("pool.NAME") == true)
        }
    }

    @Test(arguments: [
        "", "..", "0123456789abcdef012", "0123456789ABCDEF0123", "-123456789abcdef0123",
    ])
    func anArgumentThatIsNoJobIsRefused(argument: String) throws {
        let exception = try ServiceFixture().exception(.jobWatch, argument, on: .name("dom0"))
        #expect(exception?.kind == .badRequest)
    }

    @Test func aJobListTakesNoArgument() throws {
        #expect(try ServiceFixture().exception(.jobList, "root")?.kind == .badRequest)
    }

    @Test func aVolumeOnAnotherDriverIsRefused() throws {
        #expect(try ServiceFixture().exception(.compress, "kernel")?.kind == .unsuitablePool)
    }

    @Test func anUnknownVolumeIsRefusedWithThoseThereAre() throws {
        let exception = try ServiceFixture().exception(.compress, "swap")
        #expect(exception?.kind == .noSuchVolume)
        #expect(exception?.message.contains("root, private, volatile") == true)
    }

    @Test(arguments: ["nosuch", "linux-kernel"])
    func aPoolThatCannotBeWorkedOnIsRefused(pool: String) throws {
        let exception = try ServiceFixture().exception(
            .compress, "pool.\(pool)", on: .name("dom0"))
        #expect(exception?.kind == .unsuitablePool)
    }

    @Test func aCallerWhoseNameIsNoQubeIsRefused() throws {
        let fixture = try ServiceFixture()
        let sources = [
            "-x", "uuid:" + ServiceFixture.uuid(3), "uuid:x", "a+b",
            String(repeating: "a", count: 32),
        ]
        for source in sources {
            #expect(try fixture.exception(.jobList, from: source)?.kind == .badRequest)
        }
    }

    @Test func nothingIsDoneForACallWhoseInputDoesNotEnd() throws {
        var bounds = Bounds()
        bounds.requestSeconds = 1
        let fixture = try ServiceFixture(bounds: bounds)
        let socket = try fixture.connect()
        try socket.send(ServiceFixture.bytes("btrfs.Compress"))
        var reader = EnvelopeReader()
        reader.append(try #require(try socket.readToEnd(limitBytes: Limits.replyBytes)))
        guard case .exception(let exception) = try reader.last() else {
            Issue.record("it was answered")
            return
        }
        #expect(exception.message.contains("within 1 seconds"))
        #expect(try fixture.history().isEmpty)
    }

    @Test func aHeaderThatComesInPiecesIsRead() throws {
        let fixture = try ServiceFixture()
        let socket = try fixture.connect()
        for byte in ServiceFixture.bytes("btrfs.job.List", payload: Array(#"{"version":1}"#.utf8)) {
            try socket.send([byte])
        }
        try socket.shutdownWriting()
        let reply = try #require(try socket.readToEnd(limitBytes: Limits.replyBytes))
        #expect(reply.starts(with: [UInt8(ascii: "0"), 0]))
    }
}
