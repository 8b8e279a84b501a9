// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls

/// Fingerprints, matches and plans one file system's part of a dedupe job.
struct DedupePlanning {
    /// How many threads read fingerprints: most of their time is spent waiting for the disk.
    static let threads = 4

    let site: Site
    let store: any ContentStore
    let output: Output
    let governor: Governor

    func plan(
        _ survey: Survey, scope: Scope, compression: DedupePlanner.Compression,
        verdicts: Verdicts = Verdicts()
    ) throws(BtrfsError) -> Plan {
        let fingerprints = try fingerprint(
            DedupePlanner.eligible(survey, scope: scope), of: survey)
        // What has spilled is of no use to anybody afterwards, and a job may go on for hours.
        defer { site.jobSpills?.clear() }
        output.progress(.plan)
        var resources = MatchResources()
        resources.anchorSpill = site.jobSpills?.anchors
        resources.pairSpill = site.jobSpills?.pairs
        resources.control = governor
        return try DedupePlanner.plan(
            survey, fingerprints, scope: scope, sectorBytes: store.sectorBytes,
            compression: compression, verdicts: verdicts, price: site.limits.price,
            resources: resources)
    }

    func planHoles(_ survey: Survey, scope: Scope) throws(BtrfsError) -> Plan {
        let fingerprints = try fingerprint(
            DedupePlanner.mayHoldZeroes(survey, scope: scope), of: survey)
        defer { site.jobSpills?.clear() }
        output.progress(.plan)
        return try DedupePlanner.planHoles(
            survey, fingerprints, scope: scope, sectorBytes: store.sectorBytes,
            price: site.limits.price, control: governor)
    }

    private func fingerprint(
        _ eligible: [Int], of survey: Survey
    ) throws(BtrfsError) -> Fingerprints {
        let total = eligible.reduce(ByteCount.zero) { $0 + survey.extents[$1].contentBytes }
        output.progress(.fingerprint, totalBytes: total.rawValue)
        let fingerprinter = Fingerprinter(
            store: store, checksums: ChecksumTree(fileSystem: site.fileSystem, governor: governor),
            decoder: ZstdDecoder(), threads: Self.threads, kept: site.cache?.fingerprints())
        let cache = Monitor(
            FingerprintCache(
                fileSystem: site.fileSystem.identity, checksumKind: site.fileSystem.checksumKind))
        let fingerprints = try fingerprinter.fingerprint(
            eligible, of: survey,
            into: Fingerprints(
                heldBytes: site.fingerprintBytes, spill: site.jobSpills?.fingerprints),
            progress: { [output] done in
                output.progress(
                    .fingerprint, doneBytes: done.rawValue, totalBytes: total.rawValue)
            }, keep: { entry in cache.withLock { _ = $0.append(entry) } })
        cache.withLock { if $0.count > 0 { site.cache?.keep($0) } }
        return fingerprints
    }
}

/// Checksums of plain content, straight from the file system's tree.
private struct ChecksumTree: ChecksumSource {
    let fileSystem: FileSystem
    let governor: Governor

    var kind: ChecksumKind { fileSystem.checksumKind }

    func checksums(
        from start: LogicalAddress, sectors: Int
    ) throws(BtrfsError) -> [UInt32?] {
        try checksums(of: [Stretch(start: start, sectors: sectors)]).first ?? []
    }

    /// Neighbours are read with one search: each costs a look back over a leaf's reach, 16 MiB of
    /// addresses with 16 KiB nodes.
    func checksums(of stretches: [Stretch]) throws(BtrfsError) -> [[UInt32?]] {
        var result = stretches.map { [UInt32?](repeating: nil, count: $0.sectors) }
        var first = 0
        try governor.checkpoint()
        while first < stretches.count {
            try governor.checkpoint()
            var last = first
            while last + 1 < stretches.count,
                stretches[last + 1].start <= end(of: stretches[last]) + Self.nearby
            {
                last += 1
            }
            try read(stretches, first...last, into: &result)
            first = last + 1
        }
        return result
    }

    /// Stretches no further apart than this are neighbours.
    private static let nearby = ByteCount.mebibytes(4)

    private func end(of stretch: Stretch) -> LogicalAddress {
        stretch.start + ByteCount(UInt64(stretch.sectors) * fileSystem.sectorBytes.rawValue)
    }

    private func read(
        _ stretches: [Stretch], _ range: ClosedRange<Int>, into result: inout [[UInt32?]]
    ) throws(BtrfsError) {
        let sector = fileSystem.sectorBytes.rawValue
        let step = fileSystem.checksumKind.lengthBytes
        var current = range.lowerBound
        try fileSystem.forEachChecksumRun(
            from: stretches[range.lowerBound].start, to: end(of: stretches[range.upperBound]),
            bufferBytes: 256 * 1024
        ) { (address, run) throws(BtrfsError) in
            for index in 0..<(run.byteCount / step) {
                let place = address.rawValue + UInt64(index) * sector
                while current < range.upperBound, end(of: stretches[current]).rawValue <= place {
                    current += 1
                }
                let stretch = stretches[current]
                guard place >= stretch.start.rawValue else { continue }
                let position = Int((place - stretch.start.rawValue) / sector)
                guard position < stretch.sectors else { continue }
                result[current][position] = run.littleEndian32(at: index * step)
            }
        }
    }
}

extension RawSpan {
    fileprivate func littleEndian32(at offset: Int) -> UInt32 {
        // Safe: every pattern of bits is an integer; the span traps outside of its bounds.
        UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
