// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// A file that keeps something about one file system from one run to the next, in the cache
/// directory. Losing it costs time and nothing else, so that no failure here ends a job.
///
/// It is opened before the worker has forbidden itself to write, and from then on it is written in
/// place, as no file can be renamed any more: what is kept must show by itself when it is not
/// whole.
struct CacheFile: Sendable {
    private let file: SiteFile?

    /// - Parameter kind: what the file keeps.
    init(_ kind: String, in directory: SharedDescriptor, for fileSystem: FileSystem) {
        do throws(Errno) {
            file = try SiteFile(kind, in: directory, for: fileSystem)
        } catch {
            file = nil
            Self.complain(SiteFile.name(kind, fileSystem), error)
        }
    }

    /// What was kept; nil when there is nothing, or more than the limit.
    func read(limitBytes: Int) -> [UInt8]? {
        guard let bytes = file?.read(limitBytes: limitBytes), !bytes.isEmpty else { return nil }
        return bytes
    }

    /// Keeps this in place of what was there. Whoever is killed meanwhile leaves a part of it.
    func write(_ parts: [[UInt8]]) {
        guard let file else { return }
        do throws(Errno) {
            try file.truncate(toBytes: 0)
            try file.overwrite(parts)
            try file.synchronize()
        } catch {
            try? file.truncate(toBytes: 0)
            Self.complain(file.name, error)
        }
    }

    /// Says that something could not be kept.
    static func complain(_ name: String, _ error: Errno) {
        Log.note("\(name) could not be kept in the cache directory: \(error)")
    }
}

/// The files that are kept about one file system.
struct SiteCache: Sendable {
    private let fileSystem: FileSystem
    /// What is kept of the content of packed extents.
    let fingerprints: FingerprintFiles
    /// What is kept of the files' extents.
    let surveys: SurveyFiles
    private let settledFile: CacheFile
    private let verdictFile: CacheFile

    init(in directory: SharedDescriptor, for fileSystem: FileSystem) {
        self.fileSystem = fileSystem
        fingerprints = FingerprintFiles(in: directory, for: fileSystem)
        surveys = SurveyFiles(in: directory, for: fileSystem)
        settledFile = CacheFile("settled", in: directory, for: fileSystem)
        verdictFile = CacheFile("verdicts", in: directory, for: fileSystem)
    }

    /// The jobs that have nothing left to do as long as nothing changes.
    func settledJobs() -> SettledJobs {
        settledFile.read(limitBytes: SettledJobs.limitBytes).flatMap(SettledJobs.init(decoding:))
            ?? SettledJobs()
    }

    /// Keeps which jobs those are.
    func keep(_ jobs: SettledJobs) { settledFile.write([jobs.encoded()]) }

    /// What is known of extents that would not shrink.
    func verdicts() -> Verdicts {
        verdictFile.read(limitBytes: Verdicts.limitBytes)
            .flatMap { Verdicts(decoding: $0, fileSystem: fileSystem.identity) } ?? Verdicts()
    }

    /// Keeps it.
    func keep(_ verdicts: Verdicts) {
        verdictFile.write(verdicts.encodedParts(for: fileSystem.identity))
    }
}
