// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// What is kept from run to run in two files, of which one is whole: the next is written to the
/// other, which takes the first one's place when it is on the disk to its end.
///
/// Both are opened before the worker has forbidden itself to write: no file can be renamed any
/// more.
struct TurnedFiles: Sendable {
    /// None where they could not be opened.
    private let files: [SiteFile]

    /// - Parameter kind: what they keep.
    init(_ kind: String, in directory: SharedDescriptor, for fileSystem: FileSystem) {
        let files = [kind, kind + "2"].compactMap { (kind) -> SiteFile? in
            do throws(Errno) {
                return try SiteFile(kind, in: directory, for: fileSystem)
            } catch {
                CacheFile.complain(SiteFile.name(kind, fileSystem), error)
                return nil
            }
        }
        self.files = files.count == 2 ? files : []
    }

    /// What is whole, and which file that is; of two the one that was written last.
    /// - Parameters:
    ///   - open: gives what a file keeps; nil when it is not whole.
    ///   - sequence: tells which was written later.
    func newest<Kept>(
        _ open: (CacheAccess) -> Kept?, by sequence: (Kept) -> UInt64
    ) -> (index: Int, kept: Kept)? {
        let found = files.indices.compactMap { index in
            open(CacheAccess(file: files[index])).map { (index: index, kept: $0) }
        }
        return found.max { sequence($0.kept) < sequence($1.kept) }
    }

    /// Where the next goes; nil where nothing can be kept.
    func target(besides newest: Int?) -> CacheAccess? {
        files.isEmpty ? nil : CacheAccess(file: files[newest == 0 ? 1 : 0])
    }

    /// What one of them may take: a share of the room that the disk of the cache directory has,
    /// that of both counted in.
    /// - Parameter part: one of so many parts.
    func limitBytes(part: UInt64) -> UInt64 {
        guard let first = files.first else { return 0 }
        return files.reduce(first.roomBytes) { $0 + $1.lengthBytes } / part
    }

    /// Lets what was written take the place of what was whole until now. A failure costs the next
    /// run time, and this one nothing.
    /// - Parameter write: writes it to its end; false when what there is stays.
    func replace(_ newest: Int?, by write: () throws(BtrfsError) -> Bool) {
        guard let target = target(besides: newest)?.file else { return }
        do throws(BtrfsError) {
            guard try write() else { return }
            if let newest { try? files[newest].truncate(toBytes: 0) }
        } catch {
            try? target.truncate(toBytes: 0)
            CacheFile.complain(target.name, error.reason)
        }
    }
}

/// A file of the cache directory, as the engine reads and writes it.
struct CacheAccess: CacheSource, CacheSink {
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
