// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// The file that keeps fingerprints of one file system from one run to the next, in the cache
/// directory. Losing it costs time and nothing else, so that no failure here ends a job.
struct CacheFile: Sendable {
    private let directory: SharedDescriptor
    private let fileSystem: FileSystem
    private let name: String

    init(in directory: SharedDescriptor, for fileSystem: FileSystem) {
        self.directory = directory
        self.fileSystem = fileSystem
        let digits = Array("0123456789abcdef")
        name =
            "fingerprints-"
            + String(
                fileSystem.identity.bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// What was kept; nil when there is nothing, or nothing that fits.
    func read() -> FingerprintCache? {
        guard
            let file = try? directory.descriptor.open(
                beneath: FilePath(name), [.readOnly, .noFollow]),
            let bytes = try? file.readToEnd(limitBytes: FingerprintCache.limitBytes)
        else { return nil }
        return FingerprintCache(
            decoding: bytes, fileSystem: fileSystem.identity,
            checksumKind: fileSystem.checksumKind)
    }

    /// Keeps a cache in place of what was there, at once or not at all.
    func write(_ cache: FingerprintCache) {
        let new = name + ".new"
        do throws(Errno) {
            let file = try directory.descriptor.open(
                beneath: FilePath(new), [.writeOnly, .create, .truncate, .noFollow])
            try file.write(cache.encoded())
            try file.synchronizeData()
            try directory.descriptor.rename(entry: new, to: name)
        } catch {
            try? directory.descriptor.remove(entry: new)
            Log.note("the fingerprints could not be kept: \(error)")
        }
    }
}
