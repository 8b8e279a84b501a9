// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Service

@Suite struct VerifyTests {
    private static func counts(_ verdicts: Verification.Verdict...) -> Verification.Counts {
        verdicts.reduce(into: .init()) { $0.add($1, sizeBytes: 100, takenAt: 50) }
    }

    private static func image(_ qube: String) -> Verification.Image {
        .init(
            qube: qube, volume: "private", image: "appvms/\(qube)/private.img", sizeBytes: 100,
            takenAt: 50)
    }

    private static let verification = Verification(
        volumes: [
            .init(qube: "vault", name: "private", counts: counts(.different, .equal)),
            .init(qube: "work", name: "private", counts: counts(.different)),
        ], different: [image("vault"), image("work")], readBytes: 200)

    /// A worker that verifies where that is asked for, and estimates else.
    private func fixture() throws -> ServiceFixture {
        var verified = Samples.result
        verified.verification = Self.verification
        var estimated = Samples.result
        let figures = Estimate.Figures(
            diskBytes: 100, dedupe: .init(savedBytes: 7, errorBytes: 0), levels: [])
        estimated.estimate = Estimate(
            total: figures, qubes: [], qubesLeftOut: 0, sampledFrames: 0)
        return try ServiceFixture(
            worker: "if grep -q verify \"$cache/order\"; then say verify; else say other; fi"
        ) { [verified, estimated] settings in
            try ServiceFixture.message("verify", .result(verified), settings)
            try ServiceFixture.message("other", .result(estimated), settings)
        }
    }

    private func result(
        _ fixture: ServiceFixture, from source: String = "dom0", on target: String = "work",
        payload: String = ""
    ) throws -> JobResult {
        let job = try fixture.submit(
            .verify, from: source, on: .name(target), payload: payload)
        return try #require(try fixture.end(of: job, from: source).result)
    }

    @Test func aVerificationIsAJobWithWhatItFoundAsResult() throws {
        let fixture = try fixture()
        #expect(try result(fixture).verification == Self.verification)
        #expect(try fixture.order().work == .verify(accepts: false))
        #expect(try !fixture.order().onBattery)
    }

    @Test func whatIsDifferentIsForDom0AloneToAccept() throws {
        let fixture = try fixture()
        let payload = #"{"version":1,"accept":true}"#
        let refused = try fixture.exception(
            .verify, from: "admin", on: .name("work"), payload: payload)
        #expect(refused?.kind == .badRequest)
        #expect(refused?.message.contains("Only dom0") == true)
        _ = try result(fixture, payload: payload)
        #expect(try fixture.order().work == .verify(accepts: true))
    }

    @Test func aCallerLearnsOfWhatItSeesAlone() throws {
        let found = try #require(try result(fixture(), from: "admin").verification)
        #expect(found.volumes.map(\.qube) == ["work"])
        #expect(found.different == [Self.image("work")])
        #expect(found.total == Self.counts(.different))
        #expect(found.readBytes == 0, "it would tell how much the others hold")
    }

    @Test func aListOfJobsHasTheTotalAlone() throws {
        let fixture = try fixture()
        _ = try result(fixture)
        let list = try fixture.reply(JobList.self, .jobList, on: .name("dom0"))
        #expect(list.jobs.first?.result?.verification?.total == Self.verification.total)
        #expect(list.jobs.first?.result?.verification?.volumes == [])
        let own = try fixture.reply(JobList.self, .jobList, from: "admin", on: .name("dom0"))
        #expect(own.jobs.allSatisfy { $0.result?.verification?.total.equal ?? 0 == 0 })
    }

    @Test func dom0sOwnFilesAreNoImages() throws {
        let fixture = try fixture()
        let exception = try fixture.exception(.verify, "system", on: .name("dom0"))
        #expect(exception?.kind == .badRequest)
        #expect(exception?.message == Operation.verify.refusalOfSystem)
        _ = try result(fixture, on: "dom0")
        #expect(try fixture.order().volumes.allSatisfy { !$0.isSystem })
    }

    @Test func whatWasEstimatedIsStillTrueAfterALook() throws {
        let fixture = try fixture()
        let job = try fixture.submit(.estimate, on: .name("work"))
        _ = try fixture.end(of: job)
        _ = try result(fixture)
        let dedupe = try fixture.submit(.dedupe, on: .name("work"))
        #expect(try fixture.end(of: dedupe).result?.estimatedBefore?.saving.savedBytes == 7)
    }

    @Test func itSavesNothingInTheLog() throws {
        let fixture = try fixture()
        _ = try result(fixture)
        let lines = try fixture.auditLines().filter { $0.contains("service=btrfs.Verify") }
        #expect(lines.contains { $0.contains("event=job-end") })
        #expect(lines.allSatisfy { $0.contains("saved_bytes=-") })
    }

    @Test func aVerificationIsCutToItsBounds() {
        let volumes = (0..<(Limits.verifiedVolumes + 5)).map {
            Verification.Volume(qube: "q\($0)", name: "private", counts: Self.counts(.equal))
        }
        let images = [Verification.Image](
            repeating: Self.image("work"), count: Limits.namedItems + 1)
        let whole = Verification(volumes: volumes, different: images, readBytes: 1)
        let cut = whole.fitting()
        #expect(cut.volumes.count == Limits.verifiedVolumes && cut.volumesLeftOut == 5)
        #expect(cut.different.count == Limits.namedItems)
        #expect(cut.total == whole.total)
        #expect(cut.total.equal == UInt64(volumes.count))
    }
}
