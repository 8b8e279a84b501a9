// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls
internal import SystemPackage

/// The lines of what is kept about the images of one file system, in memory. Pure.
struct DigestTable {
    /// The most images that are kept, and the most bytes that they take on disk.
    static let most = 16 * 1024
    static let limitBytes = most * KeptDigest.lineBytes

    /// A line that is to be written.
    struct Change: Equatable {
        var offsetBytes: UInt64
        var line: [UInt8]
    }

    private let fileSystem: FileSystem.Identity
    private let most: Int
    private var lines: [ImageIdentity: (place: Int, kept: KeptDigest)] = [:]
    private var names: Set<UInt64> = []
    private var free: [Int] = []
    private var count = 0
    /// Lines that said something and could not be understood.
    private(set) var damaged: [Change] = []

    /// - Parameter most: the most lines there may be; tests have few.
    init(decoding bytes: [UInt8], of fileSystem: FileSystem.Identity, most: Int = Self.most) {
        self.fileSystem = fileSystem
        self.most = most
        for start in stride(from: 0, to: bytes.count, by: KeptDigest.lineBytes).prefix(most) {
            let line = bytes[start..<min(start + KeptDigest.lineBytes, bytes.count)]
            read(line, at: count)
            count += 1
        }
    }

    private mutating func read(_ line: ArraySlice<UInt8>, at place: Int) {
        if let kept = KeptDigest(line: line, of: fileSystem), lines[kept.identity] == nil {
            lines[kept.identity] = (place, kept)
            names.insert(kept.name)
            return
        }
        free.append(place)
        if !line.elementsEqual(Self.blank) { damaged.append(blank(place)) }
    }

    /// What is kept of a file.
    func kept(_ identity: ImageIdentity) -> KeptDigest? { lines[identity]?.kept }

    /// A file, this or another, has had this name.
    func knows(name: UInt64) -> Bool { names.contains(name) }

    /// All files that something is kept of.
    var identities: [ImageIdentity] { lines.keys.map(\.self) }

    /// Keeps this of its file, and nothing else.
    /// - Returns: nil when there is no room.
    mutating func keep(_ kept: KeptDigest) -> Change? {
        let place: Int
        if let known = lines[kept.identity] {
            place = known.place
        } else if let blank = free.popLast() {
            place = blank
        } else if count < most {
            place = count
            count += 1
        } else {
            return nil
        }
        lines[kept.identity] = (place, kept)
        names.insert(kept.name)
        return Change(
            offsetBytes: UInt64(place * KeptDigest.lineBytes), line: kept.line(for: fileSystem))
    }

    /// Keeps nothing of a file any more.
    mutating func forget(_ identity: ImageIdentity) -> Change? {
        guard let known = lines.removeValue(forKey: identity) else { return nil }
        free.append(known.place)
        return blank(known.place)
    }

    private static let blank =
        [UInt8](repeating: UInt8(ascii: " "), count: KeptDigest.lineBytes - 1)
        + [UInt8(ascii: "\n")]

    private func blank(_ place: Int) -> Change {
        Change(offsetBytes: UInt64(place * KeptDigest.lineBytes), line: Self.blank)
    }
}

/// The table in its file, `digests-UUID` in the state directory. It is opened before the worker
/// forbids itself to write, and cannot be renamed over from then on: so each line stands for
/// itself, and is written in place when its image was read. Whoever is killed has lost that line at
/// most.
struct DigestFile: Sendable {
    private let file: SiteFile

    /// nil where it cannot be had: then nothing is compared and nothing kept.
    init?(in directory: SharedDescriptor, for fileSystem: FileSystem) {
        do throws(Errno) {
            file = try SiteFile("digests", in: directory, for: fileSystem)
        } catch {
            let name = SiteFile.name("digests", fileSystem)
            Log.note("\(name) cannot be opened in the state directory: \(error)")
            return nil
        }
    }

    /// nil when it cannot be read, or is longer than any of ours.
    func read() -> [UInt8]? { file.read(limitBytes: DigestTable.limitBytes) }

    func write(_ change: DigestTable.Change) throws(Errno) {
        try file.write(change.line, at: change.offsetBytes)
    }

    func empty() throws(Errno) { try file.truncate(toBytes: 0) }

    func synchronize() throws(Errno) { try file.synchronize() }
}
