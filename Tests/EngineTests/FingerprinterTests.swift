// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import Testing

@testable import Engine

/// Between a survey and the read of an extent minutes may pass, in which qubes write.
@Suite struct FingerprinterTests {
    private final class Kept: Sendable {
        let entries = Monitor<[FingerprintSegment.Entry]>([])
    }

    private static func content(_ seed: UInt8) -> [UInt8] {
        (0..<131_072).map { UInt8(truncatingIfNeeded: $0 >> 12) &+ seed }
    }

    /// Fingerprints all of a survey, after a qube has written to file 1.
    private func kept(
        by compression: Compression, clone: Bool = false, isLive: Bool = false
    ) throws -> (entries: [FingerprintSegment.Entry], old: [UInt32]) {
        var state = ModelState()
        state.make(1)
        state.write(Self.content(1), to: 1, at: 0, packedTo: 65_536, by: compression)
        if clone {
            state.make(2)
            state.clone(1, 0..<131_072, to: 2, at: 0)
        }
        let store = ModelStore(state)
        var job = ModelJob(store: store)
        if isLive { job.roles.live = [ModelState.inode(1)] }
        let survey = job.survey()
        store.change {
            // Of the same length, and packed the same way.
            $0.write(Self.content(99), to: 1, at: 0, packedTo: 65_536, by: compression)
        }
        let kept = Kept()
        let fingerprinter = Fingerprinter(
            store: store, checksums: ModelChecksums(store: store, kind: job.checksumKind),
            decoder: ModelDecoder(), threads: 1)
        _ = try fingerprinter.fingerprint(
            Column(survey.extents.indices.map(UInt32.init)), of: survey, progress: { _ in },
            keep: { entry in kept.entries.withLock { $0.append(entry) } })
        return (kept.entries.withLock { $0 }, try job.sums(ofSectors: Self.content(1)))
    }

    @Test(
        "What was written since the survey is not kept as the content of the old extent",
        arguments: [Compression.zstd, .lzo])
    func rewritten(compression: Compression) throws {
        #expect(try kept(by: compression).entries.isEmpty)
    }

    @Test(
        "A revision that still shows the extent says what it holds",
        arguments: [Compression.zstd, .lzo])
    func revision(compression: Compression) throws {
        for isLive in [false, true] {
            let (entries, old) = try kept(by: compression, clone: true, isLive: isLive)
            #expect(entries.map(\.sums) == [old])
        }
    }
}
