// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// A file that keeps something about one file system from one run to the next, in the cache
/// directory. Losing it costs time and nothing else, so that no failure here ends a job.
struct CacheFile: Sendable {
    private let directory: SharedDescriptor
    private let name: String

    /// - Parameter kind: what the file keeps; its name is that and the file system's UUID.
    init(_ kind: String, in directory: SharedDescriptor, for fileSystem: FileSystem) {
        self.directory = directory
        let digits = Array("0123456789abcdef")
        name =
            "\(kind)-"
            + String(
                fileSystem.identity.bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// What was kept; nil when there is nothing, or more than the limit.
    func read(limitBytes: Int) -> [UInt8]? {
        let file = try? directory.descriptor.open(
            beneath: FilePath(name), [.readOnly, .noFollow])
        return try? file?.readToEnd(limitBytes: limitBytes)
    }

    /// Keeps this in place of what was there, at once or not at all.
    func write(_ parts: [[UInt8]]) {
        let new = name + ".new"
        do throws(Errno) {
            let file = try directory.descriptor.open(
                beneath: FilePath(new), [.writeOnly, .create, .truncate, .noFollow])
            for part in parts { try file.write(part) }
            try file.synchronizeData()
            try directory.descriptor.rename(entry: new, to: name)
        } catch {
            try? directory.descriptor.remove(entry: new)
            Log.note("\(name) could not be kept in the cache directory: \(error)")
        }
    }
}

/// The files that are kept about one file system.
struct SiteCache: Sendable {
    private let fileSystem: FileSystem
    private let fingerprintFile: CacheFile
    private let settledFile: CacheFile

    init(in directory: SharedDescriptor, for fileSystem: FileSystem) {
        self.fileSystem = fileSystem
        fingerprintFile = CacheFile("fingerprints", in: directory, for: fileSystem)
        settledFile = CacheFile("settled", in: directory, for: fileSystem)
    }

    /// The fingerprints of an earlier run; nil when there are none, or none that fit.
    func fingerprints() -> FingerprintCache? {
        guard let bytes = fingerprintFile.read(limitBytes: FingerprintCache.limitBytes) else {
            return nil
        }
        return FingerprintCache(
            decoding: bytes, fileSystem: fileSystem.identity,
            checksumKind: fileSystem.checksumKind)
    }

    /// Keeps fingerprints.
    func keep(_ fingerprints: FingerprintCache) { fingerprintFile.write(fingerprints.encodedParts) }

    /// The jobs that have nothing left to do as long as nothing changes.
    func settledJobs() -> SettledJobs {
        settledFile.read(limitBytes: SettledJobs.limitBytes).flatMap(SettledJobs.init(decoding:))
            ?? SettledJobs()
    }

    /// Keeps which jobs those are.
    func keep(_ jobs: SettledJobs) { settledFile.write([jobs.encoded()]) }
}
