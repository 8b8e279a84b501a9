// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Service

@Suite struct SystemTests {
    private static let directories = [
        "/usr", "/etc", "/srv", "/var/lib/dnf", "/var/log", "/var/lib/qubes/vm-kernels",
    ]

    private func order(
        _ argument: String, _ service: ServiceName = .compress, from source: String = "dom0",
        adminFeatures: String = ""
    ) throws -> (order: WorkerOrder, record: JobRecord) {
        let fixture = try ServiceFixture()
        try fixture.writeInventory(adminFeatures: adminFeatures)
        let job = try fixture.submit(
            service, argument, from: source, on: .name("dom0"))
        let record = try fixture.end(of: job, from: source)
        return (try fixture.order(), record)
    }

    @Test func systemIsDom0sOwnFilesAndNothingElse() throws {
        let (order, record) = try order("system")
        #expect(order.systemDirectories == Self.directories)
        let selected = order.volumes.filter(\.selected)
        #expect(selected.map(\.isSystem) == [true])
        #expect(selected.map(\.name) == ["system"])
        #expect(record.argument == "system")
        #expect(order.wholeMachine)
    }

    @Test func theMachineHasThemInIt() throws {
        let (order, _) = try order("")
        #expect(order.systemDirectories == Self.directories)
        #expect(order.volumes.filter(\.isSystem).count == 1)
        #expect(order.volumes.filter(\.selected).count == 16)
    }

    @Test func aPoolHasThemNot() throws {
        let (order, _) = try order("pool.varlibqubes")
        #expect(order.systemDirectories == nil)
        #expect(!order.volumes.contains(where: { $0.isSystem }))
    }

    @Test func aGroupThatIsTheDefaultForQubesIsNotTheirs() throws {
        let (order, _) = try order(
            "", adminFeatures: #"<feature name="btrfs.dedupe-group.all">dom0 work vault</feature>"#)
        let system = try #require(order.volumes.first(where: { $0.isSystem }))
        #expect(order.volumes.filter { $0.dedupeGroup == system.dedupeGroup }.count == 1)
    }

    @Test func dom0sFeaturesCountForThem() throws {
        let (order, _) = try order(
            "system",
            adminFeatures: """
                <feature name="btrfs.compress">zstd:12</feature>\
                <feature name="btrfs.skip">1</feature>
                """)
        let system = try #require(order.volumes.first(where: { $0.isSystem }))
        #expect(system.compressionLevel == 12)
        #expect(system.skipped)
    }

    @Test func aFeatureThatCannotBeReadLeavesThemAlone() throws {
        let (order, record) = try order(
            "system", adminFeatures: #"<feature name="btrfs.skip">maybe</feature>"#)
        #expect(order.volumes.first(where: { $0.isSystem })?.skipped == true)
        #expect(record.result?.problems.contains { $0.subject == "dom0" } == true)
    }

    @Test func whoDoesNotSeeDom0DoesNotReachThem() throws {
        let fixture = try ServiceFixture()
        let exception = try fixture.exception(
            .compress, "system", from: "other", on: .name("dom0"))
        #expect(exception == Refusal.noSuchQube.exception)
        let job = try fixture.submit(.compress, from: "other", on: .name("dom0"))
        _ = try fixture.end(of: job, from: "other")
        #expect(try fixture.order().systemDirectories == nil)
    }

    @Test func theMachineIsAllVolumesWithoutThemWhereHolesAreMade() throws {
        let (order, record) = try order("", .sparsify)
        #expect(order.work == .sparsify(running: false))
        #expect(record.operation == .sparsify && record.state == .done)
        #expect(order.systemDirectories == nil)
        #expect(!order.volumes.contains(where: { $0.isSystem }))
        #expect(order.volumes.filter(\.selected).count == 15)
        // They are left out already, so that it may be said as well.
        let fixture = try ServiceFixture()
        let job = try fixture.submit(
            .sparsify, on: .name("dom0"),
            payload: #"{"version":1,"exclude":["dom0"],"running":true}"#)
        #expect(try fixture.end(of: job).state == .done)
        #expect(try fixture.order().work == .sparsify(running: true))
        #expect(try fixture.order().volumes.filter(\.selected).count == 15)
    }

    @Test(arguments: ["dom0", "admin", "other"])
    func noHolesAreMadeInThemWhoeverAsks(caller: String) throws {
        let fixture = try ServiceFixture()
        for target in [CallHeader.Target.name("dom0"), .keyword("adminvm")] {
            let exception = try fixture.exception(.sparsify, "system", from: caller, on: target)
            #expect(exception?.kind == .badRequest)
            #expect(exception?.message == Operation.sparsify.refusalOfSystem)
        }
        #expect(try fixture.history().isEmpty)
        #expect(throws: (any Error).self, "no worker has got an order") { try fixture.order() }
        let log = try fixture.auditLines()
        #expect(log.filter { $0.contains("service=btrfs.Sparsify argument=system") }.count == 2)
        #expect(!log.contains { $0.contains("event=job-start") })
    }

    @Test func aQubeHasNoSuchVolume() throws {
        let exception = try ServiceFixture().exception(.report, "system", on: .name("work"))
        #expect(exception?.kind == .noSuchVolume)
    }
}
