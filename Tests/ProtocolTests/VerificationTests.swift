// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Testing

@Suite struct VerificationTests {
    @Test func verifications() throws {
        var counts = Verification.Counts()
        for verdict in Verification.Verdict.allCases {
            counts.add(verdict, sizeBytes: 4096, takenAt: 60)
        }
        let golden =
            #"{"comparedBytes":8192,"different":1,"equal":1,"inUse":1,"new":1,"oldestAt":60,"#
            + #""unreadable":1,"written":1}"#
        try check(counts, golden)
        let verification = Verification(
            volumes: [.init(qube: "work", name: "root", counts: counts)],
            different: [
                .init(qube: "work", volume: "root", image: "a/b", sizeBytes: 5, takenAt: 60)
            ], readBytes: 9, accepted: true)
        try check(
            verification,
            #"{"accepted":true,"different":[{"image":"a/b","qube":"work","sizeBytes":5,"#
                + #""takenAt":60,"volume":"root"}],"readBytes":9,"total":"# + golden
                + #","volumes":[{"counts":"# + golden
                + #","name":"root","qube":"work"}],"volumesLeftOut":0}"#)
    }

    @Test func itHasNoDigestInIt() {
        // Whoever adds something to what is said of an image thinks of what it tells.
        let image = Verification.Image(
            qube: "", volume: "", image: "", sizeBytes: 0, takenAt: 0)
        #expect(
            Mirror(reflecting: image).children.compactMap(\.label) == [
                "qube", "volume", "image", "sizeBytes", "takenAt",
            ])
    }

    @Test("A verification of a machine with thousands of volumes fits into a line")
    func manyVerified() throws {
        var counts = Verification.Counts()
        counts.add(.equal, sizeBytes: .max, takenAt: .max)
        let name = String(repeating: "x", count: Limits.textCharacters)
        let whole = Verification(
            volumes: [Verification.Volume](
                repeating: .init(qube: name, name: name, counts: counts), count: 4096),
            different: [], readBytes: .max)
        let cut = whole.fitting()
        #expect(try JSONEncoder().encode(cut).count <= Limits.estimateBytes)
        #expect(cut.volumes.count + cut.volumesLeftOut == 4096 && !cut.volumes.isEmpty)
        #expect(cut.total == whole.total)
    }

    @Test func sizesThatNoNumberHoldsAreAsMuchAsItHolds() {
        var counts = Verification.Counts()
        for _ in 0..<3 { counts.add(.equal, sizeBytes: .max, takenAt: nil) }
        #expect(counts.comparedBytes == .max && counts.oldestAt == nil)
        #expect((counts + counts).comparedBytes == .max && (counts + counts).equal == 6)
    }
}
