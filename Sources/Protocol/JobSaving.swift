// SPDX-License-Identifier: GPL-2.0-or-later

/// What a job has done by its own count, whatever others wrote and deleted meanwhile.
public struct JobCount: Codable, Equatable, Sendable {
    /// What the extents took that nobody refers to any more.
    public var freedBytes: UInt64
    /// What was written anew for them.
    public var writtenBytes: UInt64
    /// By how much trees may have grown for it at most, in bytes of data: what a byte of them takes
    /// of the devices, in relation to one of data.
    public var metadataBytes: UInt64

    /// Makes a count.
    public init(freedBytes: UInt64 = 0, writtenBytes: UInt64 = 0, metadataBytes: UInt64 = 0) {
        self.freedBytes = freedBytes
        self.writtenBytes = writtenBytes
        self.metadataBytes = metadataBytes
    }

    /// By how much data has shrunk.
    var dataBytes: Int64 { Int64(clamping: freedBytes).minus(Int64(clamping: writtenBytes)) }
}

extension JobResult {
    /// Below this others are not told apart from the job: its scratch files, a log.
    static let toleranceBytes: Int64 = 1 << 20

    /// What the devices got back, in bytes of data: what data shrank by, less what metadata grew
    /// by, each by the copies that are kept of it. Negative when the disk is fuller than before.
    ///
    /// It is measured by the file systems; where the job's own count says that others have freed or
    /// written data meanwhile, by that.
    public var savedBytes: Int64 {
        guard let own, othersBytes != 0 else {
            return measuredDataBytes.minus(measuredMetadataBytes)
        }
        return own.dataBytes.minus(Int64(clamping: own.metadataBytes))
    }

    /// What others have written meanwhile on balance, in bytes of data; negative when they freed
    /// more. 0 where it is too little to be told, or nobody has counted.
    public var othersBytes: Int64 {
        guard let own else { return 0 }
        let others = own.dataBytes.minus(measuredDataBytes)
        let tolerance = max(Self.toleranceBytes, Int64(clamping: own.freedBytes / 64))
        return others.magnitude > tolerance.magnitude ? others : 0
    }

    /// What the data of all file systems shrank by.
    public var measuredDataBytes: Int64 {
        sum(before) { Int64(clamping: $0.dataUsedBytes) }
            .minus(sum(after) { Int64(clamping: $0.dataUsedBytes) })
    }

    /// What the metadata of all file systems grew by, in bytes of data.
    public var measuredMetadataBytes: Int64 {
        func weighed(_ usage: FileSystemUsage) -> Int64 {
            let bytes = (Double(usage.metadataUsedBytes) * usage.metadataWeight).rounded()
            return bytes < Double(Int64.max / 2) ? Int64(bytes) : .max / 2
        }
        return sum(after, weighed).minus(sum(before, weighed))
    }

    /// A reader must not trap on whatever figures the other side has sent.
    private func sum(_ usages: [FileSystemUsage], _ part: (FileSystemUsage) -> Int64) -> Int64 {
        usages.reduce(0) {
            let sum = $0.addingReportingOverflow(part($1))
            return sum.overflow ? .max : sum.partialValue
        }
    }
}

extension Int64 {
    fileprivate func minus(_ other: Int64) -> Int64 {
        let result = subtractingReportingOverflow(other)
        return result.overflow ? (self < 0 ? .min : .max) : result.partialValue
    }
}
