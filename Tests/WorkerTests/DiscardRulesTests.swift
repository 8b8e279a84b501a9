// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemPackage
import Testing

@testable import Worker

/// Whether what running qubes free can come back at all. A real device is not taken its discards:
/// it keeps that for whoever gets it next.
@Suite struct DiscardRulesTests {
    private func findings(_ passes: [Bool?]) -> [CheckReport.Finding] {
        let loops = passes.enumerated().map {
            LoopDevice(
                name: "loop\($0)", backingFile: FilePath("/pool/\($0).img"), isDirect: false,
                passesDiscards: $1)
        }
        return CheckRules.discards(loops, "pool main")
    }

    @Test func thoseThatTakeNoneAreCountedWithWhatHelps() throws {
        let finding = try #require(findings([true, false, nil, false]).first)
        #expect(finding.level == .warning && finding.topic == "loop.discard")
        #expect(
            finding.message == "2 of 3 loop devices of running qubes take no discards"
                + " (discard_max_bytes of loop1 is 0)")
        #expect(finding.command == "qvm-btrfs sparsify")
    }

    @Test func whereAllTakeThemThatIsWellAndWhereNobodyKnowsNothingIsSaid() {
        #expect(findings([true, true]).map(\.level) == [.good])
        #expect(findings([nil]).isEmpty && findings([]).isEmpty)
    }
}
