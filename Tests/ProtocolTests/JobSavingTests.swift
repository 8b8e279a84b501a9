// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@Suite struct JobSavingTests {
    static let mebibyte: UInt64 = 1 << 20

    /// Mebibytes of data and metadata before and after, and what the job has counted.
    static func result(
        data: (UInt64, UInt64), metadata: (UInt64, UInt64) = (10, 10), own: JobCount? = nil,
        copies: (data: UInt64, metadata: UInt64)? = (1, 2)
    ) -> JobResult {
        func usage(_ data: UInt64, _ metadata: UInt64) -> FileSystemUsage {
            FileSystemUsage(
                pools: ["pool"], deviceBytes: 1 << 40, unallocatedBytes: 1 << 39,
                dataTotalBytes: 1 << 38, dataUsedBytes: data * mebibyte,
                metadataTotalBytes: 1 << 30, metadataUsedBytes: metadata * mebibyte,
                dataCopies: copies?.data, metadataCopies: copies?.metadata)
        }
        return JobResult(
            before: [usage(data.0, metadata.0)], after: [usage(data.1, metadata.1)],
            extentsSeen: 0, extentsReplaced: 0, referencesMoved: 0, predictedBytes: nil,
            leftAlone: [], problems: [], elapsedSeconds: 1, own: own)
    }

    static func count(freed: UInt64, written: UInt64, metadata: UInt64 = 0) -> JobCount {
        JobCount(
            freedBytes: freed * mebibyte, writtenBytes: written * mebibyte,
            metadataBytes: metadata * mebibyte)
    }

    static func saved(_ result: JobResult) -> Int64 { result.savedBytes >> 20 }

    @Test func `The review's job with 500 snapshots has saved nothing`() {
        let result = Self.result(
            data: (490, 383), metadata: (9, 257), own: Self.count(freed: 490, written: 383))
        #expect(Self.saved(result) == 107 - 2 * 248)
    }

    @Test func `Metadata weighs by its copies against those of data`() {
        let mirrored = Self.result(
            data: (100, 50), metadata: (10, 20), own: Self.count(freed: 60, written: 10),
            copies: (2, 2))
        #expect(Self.saved(mirrored) == 40)
        let triple = Self.result(
            data: (100, 50), metadata: (10, 20), own: Self.count(freed: 60, written: 10),
            copies: (2, 3))
        #expect(Self.saved(triple) == 35)
    }

    @Test func `What others freed or wrote is told apart by the job's own count`() {
        let freed = Self.result(
            data: (1000, 450), metadata: (10, 5),
            own: Self.count(freed: 60, written: 10, metadata: 1))
        #expect(freed.othersBytes == -500 << 20)
        #expect(Self.saved(freed) == 49)
        let written = Self.result(
            data: (1000, 1450), own: Self.count(freed: 60, written: 10, metadata: 1))
        #expect(written.othersBytes == 500 << 20)
        #expect(Self.saved(written) == 49)
    }

    @Test func `A little more or less is nobody's`() {
        let result = Self.result(data: (1000, 950), own: Self.count(freed: 60, written: 11))
        #expect(result.othersBytes == 0)
        #expect(Self.saved(result) == 50)
    }

    @Test func `A record of an older release is read as it was`() {
        let result = Self.result(data: (1000, 450), copies: nil)
        #expect(result.othersBytes == 0)
        #expect(Self.saved(result) == 550)
    }

    @Test func `Figures beyond all bounds do not trap`() {
        let usage = FileSystemUsage(
            pools: [], deviceBytes: .max, unallocatedBytes: .max, dataTotalBytes: .max,
            dataUsedBytes: .max, metadataTotalBytes: .max, metadataUsedBytes: .max,
            dataCopies: 0, metadataCopies: .max)
        let result = JobResult(
            before: [usage, usage], after: [], extentsSeen: 0, extentsReplaced: 0,
            referencesMoved: 0, predictedBytes: nil, leftAlone: [], problems: [],
            elapsedSeconds: 0,
            own: JobCount(freedBytes: .max, writtenBytes: .max, metadataBytes: .max))
        #expect(result.savedBytes < 0)
        #expect(
            JobResult(
                before: [], after: [usage, usage], extentsSeen: 0, extentsReplaced: 0,
                referencesMoved: 0, predictedBytes: nil, leftAlone: [], problems: [],
                elapsedSeconds: 0
            ).savedBytes < 0)
    }
}
