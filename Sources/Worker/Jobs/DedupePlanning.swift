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
    /// The survey is of every file that jobs may be about.
    let isOfAllFiles: Bool

    func plan(
        _ survey: Survey, scope: Scope, compression: DedupePlanner.Compression,
        verdicts: Verdicts = Verdicts()
    ) throws(BtrfsError) -> Plan {
        let fingerprints = try fingerprint(
            try DedupePlanner.eligible(survey, scope: scope, spills: site.spills), of: survey)
        output.progress(.plan)
        return try DedupePlanner.plan(
            survey, fingerprints, scope: scope, sectorBytes: store.sectorBytes,
            compression: compression, verdicts: verdicts, price: site.limits.price,
            resources: resources)
    }

    func planHoles(_ survey: Survey, scope: Scope) throws(BtrfsError) -> Plan {
        let fingerprints = try fingerprint(
            try DedupePlanner.mayHoldZeroes(survey, scope: scope, spills: site.spills), of: survey)
        output.progress(.plan)
        return try DedupePlanner.planHoles(
            survey, fingerprints, scope: scope, sectorBytes: store.sectorBytes,
            price: site.limits.price, resources: resources)
    }

    private var resources: MatchResources {
        var resources = MatchResources()
        resources.spills = site.spills
        resources.control = governor
        return resources
    }

    /// Fingerprints, and keeps those of packed extents for the next run.
    private func fingerprint(
        _ eligible: Column<UInt32>, of survey: Survey
    ) throws(BtrfsError) -> Fingerprints {
        guard let cache = site.cache else {
            return try fingerprint(eligible, of: survey, nil) { _ in }
        }
        let isGone: KeptFingerprintsWriter.IsGone = { [isOfAllFiles] address, generation in
            guard let extent = survey.extent(at: address) else { return isOfAllFiles }
            return extent.generation != generation
        }
        return try cache.fingerprints.keep(unless: isGone) { (kept, keep) throws(BtrfsError) in
            try fingerprint(eligible, of: survey, kept, keep)
        }
    }

    private func fingerprint(
        _ eligible: Column<UInt32>, of survey: Survey, _ kept: KeptFingerprints?,
        _ keep: @escaping @Sendable (FingerprintSegment.Entry) -> Void
    ) throws(BtrfsError) -> Fingerprints {
        let total = eligible.reduce(ByteCount.zero) { $0 + survey.extents[Int($1)].contentBytes }
        output.progress(.fingerprint, totalBytes: total.rawValue)
        let fingerprinter = Fingerprinter(
            store: store, checksums: ChecksumTree(fileSystem: site.fileSystem, governor: governor),
            decoder: ZstdDecoder(), threads: Self.threads, kept: kept)
        return try fingerprinter.fingerprint(
            eligible, of: survey,
            into: FingerprintWriter(heldBytes: site.fingerprintBytes, spills: site.spills),
            progress: { [output] done in
                output.progress(
                    .fingerprint, doneBytes: done.rawValue, totalBytes: total.rawValue)
            }, keep: keep)
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
