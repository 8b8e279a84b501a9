// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Service

@Suite struct NewDataTests {
    private static let reply = NewDataReply(volumes: [
        .init(
            name: "private",
            newData: NewData(
                isCompressed: true, reason: .mount, isCompressedLater: true,
                directoryProperty: nil))
    ])

    private func fixture() throws -> ServiceFixture {
        try ServiceFixture(worker: "say new-data") { settings in
            try ServiceFixture.message("new-data", .newData(Self.reply), settings)
        }
    }

    @Test func whatIsWantedReachesTheWorkerWithAllVolumesOfTheQube() throws {
        let fixture = try fixture()
        let reply = try fixture.reply(
            NewDataReply.self, .newData, payload: #"{"version":1,"compress":"zstd"}"#)
        #expect(reply == Self.reply)
        let order = try fixture.order()
        #expect(order.work == .newData(.zstd))
        #expect(Set(order.volumes.filter(\.selected).map(\.qube)) == ["work"])
        #expect(order.volumes.filter(\.selected).count == 3)
    }

    @Test func withoutAWishNothingIsSet() throws {
        let fixture = try fixture()
        _ = try fixture.reply(NewDataReply.self, .newData)
        #expect(try fixture.order().work == .newData(nil))
    }

    @Test(arguments: [
        #"{"version":1,"compress":"lzo"}"#, #"{"version":1,"compress":null}"#,
        #"{"version":1,"compress":3}"#, #"{"version":1,"level":3}"#,
    ])
    func anotherWishIsRefused(payload: String) throws {
        #expect(try fixture().exception(.newData, payload: payload)?.kind == .badRequest)
    }

    @Test func theMachineAndASingleVolumeAreRefused() throws {
        let fixture = try fixture()
        #expect(try fixture.exception(.newData, on: .name("dom0"))?.kind == .badRequest)
        #expect(try fixture.exception(.newData, "private")?.kind == .badRequest)
    }

    @Test func theWishIsInTheLog() throws {
        let fixture = try fixture()
        _ = try fixture.reply(
            NewDataReply.self, .newData, from: "admin",
            payload: #"{"version":1,"compress":"off"}"#)
        #expect(
            try fixture.auditLines().contains {
                $0.contains("caller=admin service=btrfs.NewData")
                    && $0.contains(" detail=off call=")
            })
    }
}
