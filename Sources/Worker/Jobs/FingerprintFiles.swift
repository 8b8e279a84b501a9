// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls

/// Fingerprints that are kept from run to run.
struct FingerprintFiles: Sendable {
    /// The files may take one of so many parts of the room.
    private static let part: UInt64 = 8

    private let files: TurnedFiles
    private let fileSystem: FileSystem.Identity
    private let checksumKind: ChecksumKind

    init(in directory: SharedDescriptor, for fileSystem: FileSystem) {
        self.fileSystem = fileSystem.identity
        checksumKind = fileSystem.checksumKind
        files = TurnedFiles("fingerprints", in: directory, for: fileSystem)
    }

    /// What the last run has kept, and which file that is; nil when nothing is whole.
    func newest() -> (index: Int, kept: KeptFingerprints)? {
        files.newest(
            { (file) -> KeptFingerprints? in
                KeptFingerprints(file, fileSystem: fileSystem, checksumKind: checksumKind)
            }, by: \.sequence)
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
        guard let target = files.target(besides: newest?.index) else {
            return try body(newest?.kept) { _ in }
        }
        let keeper = Keeper(
            KeptFingerprintsWriter(
                to: target, fileSystem: fileSystem, checksumKind: checksumKind,
                joining: newest?.kept, limitBytes: files.limitBytes(part: Self.part),
                isGone: isGone))
        // Also of a job that was cancelled: what it has unpacked need not be unpacked again.
        defer {
            files.replace(newest?.index) { () throws(BtrfsError) in try keeper.finish() }
        }
        return try body(newest?.kept) { keeper.add($0) }
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
