// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// Fingerprints that are kept from run to run, in two files of which one is whole: the next are
/// written to the other, which takes the first one's place when it is on the disk to its end.
///
/// Both are opened before the worker has forbidden itself to write: no file can be renamed any
/// more.
struct FingerprintFiles: Sendable {
    /// What may be taken of the room that the disk of the cache directory has, that of both files
    /// counted in: an eighth.
    private static let roomForOne: UInt64 = 8

    private let files: [SiteFile]
    private let fileSystem: FileSystem.Identity
    private let checksumKind: ChecksumKind

    init(in directory: SharedDescriptor, for fileSystem: FileSystem) {
        self.fileSystem = fileSystem.identity
        checksumKind = fileSystem.checksumKind
        files = ["fingerprints", "fingerprints2"].compactMap { kind in
            do throws(Errno) {
                return try SiteFile(kind, in: directory, for: fileSystem)
            } catch {
                CacheFile.complain(SiteFile.name(kind, fileSystem), error)
                return nil
            }
        }
    }

    /// What the last run has kept, and which file that is; nil when nothing is whole.
    func newest() -> (index: Int, kept: KeptFingerprints)? {
        let found = files.indices.compactMap { index in
            KeptFingerprints(
                CacheAccess(file: files[index]), fileSystem: fileSystem, checksumKind: checksumKind
            ).map { (index: index, kept: $0) }
        }
        return found.max { $0.kept.sequence < $1.kept.sequence }
    }

    /// Keeps what `body` adds, joined with what was kept and is not gone. Whatever fails costs the
    /// next run time, and this one nothing.
    func keep<Result>(
        unless isGone: @escaping KeptFingerprintsWriter.IsGone,
        _ body: (
            _ kept: KeptFingerprints?,
            _ add: @escaping @Sendable (FingerprintSegment.Entry) -> Void
        ) throws(BtrfsError) -> Result
    ) throws(BtrfsError) -> Result {
        let newest = newest()
        guard files.count == 2 else { return try body(newest?.kept) { _ in } }
        let target = files[newest?.index == 0 ? 1 : 0]
        let keeper = Keeper(
            KeptFingerprintsWriter(
                to: CacheAccess(file: target), fileSystem: fileSystem, checksumKind: checksumKind,
                joining: newest?.kept,
                limitBytes: files.reduce(target.roomBytes) { $0 + $1.lengthBytes }
                    / Self.roomForOne,
                isGone: isGone))
        // Also of a job that was cancelled: what it has unpacked need not be unpacked again.
        defer { put(keeper, target, inPlaceOf: newest?.index) }
        return try body(newest?.kept) { keeper.add($0) }
    }

    private func put(_ keeper: Keeper, _ target: SiteFile, inPlaceOf old: Int?) {
        do throws(BtrfsError) {
            guard try keeper.finish() else { return }
            if let old { try? files[old].truncate(toBytes: 0) }
        } catch {
            try? target.truncate(toBytes: 0)
            CacheFile.complain(target.name, error.reason)
        }
    }
}

/// Takes entries from several threads, one at a time and in order, until one cannot be kept.
private final class Keeper: Sendable {
    private struct State {
        var writer: KeptFingerprintsWriter
        var failure: BtrfsError?
    }

    private let state: Monitor<State>

    init(_ writer: KeptFingerprintsWriter) { state = Monitor(State(writer: writer)) }

    func add(_ entry: FingerprintSegment.Entry) {
        state.withLock { state in
            guard state.failure == nil else { return }
            do throws(BtrfsError) {
                try state.writer.add(entry)
            } catch {
                state.failure = error
            }
        }
    }

    func finish() throws(BtrfsError) -> Bool {
        try state.withLock { (state) throws(BtrfsError) in
            if let failure = state.failure { throw failure }
            return try state.writer.finish()
        }
    }
}

/// A file of the cache directory, as the engine reads and writes it.
private struct CacheAccess: CacheSource, CacheSink {
    let file: SiteFile

    var lengthBytes: UInt64 { file.lengthBytes }

    func read(at offset: UInt64, count: Int) -> [UInt8] { file.read(at: offset, count: count) }

    func write(_ bytes: [UInt8], at offset: UInt64) throws(BtrfsError) {
        do throws(Errno) {
            try file.write(bytes, at: offset)
        } catch {
            throw BtrfsError("write", file.name, error)
        }
    }

    func synchronize() throws(BtrfsError) {
        do throws(Errno) {
            try file.synchronize()
        } catch {
            throw BtrfsError("fdatasync", file.name, error)
        }
    }
}
