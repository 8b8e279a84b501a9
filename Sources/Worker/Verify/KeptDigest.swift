// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls

/// Which file it is, for good: numbers of inodes and subvolumes are not given twice, and the
/// transaction that made it says so once more.
struct ImageIdentity: Hashable, Sendable {
    var subvolume: UInt64
    var number: UInt64
    var generation: UInt64

    init(subvolume: UInt64, number: UInt64, generation: UInt64) {
        self.subvolume = subvolume
        self.number = number
        self.generation = generation
    }

    init(_ inode: InodeIdentifier, _ generation: Generation) {
        self.init(
            subvolume: inode.subvolume.rawValue, number: inode.number,
            generation: generation.rawValue)
    }

    var inode: InodeIdentifier {
        InodeIdentifier(subvolume: TreeIdentifier(subvolume), number: number)
    }
}

/// What tells that somebody has written to a file. No job changes any of it.
struct ImageStamps: Equatable, Sendable {
    /// Seconds and nanoseconds since 1970.
    struct Moment: Equatable, Sendable {
        var seconds: Int64
        var nanoseconds: UInt32
    }

    var sizeBytes: UInt64
    /// When the content last changed.
    var modified: Moment
    /// When content, name or permissions last changed.
    var changed: Moment

    init(sizeBytes: UInt64, modified: Moment, changed: Moment) {
        self.sizeBytes = sizeBytes
        self.modified = modified
        self.changed = changed
    }

    init(_ status: FileStatus) {
        func moment(_ time: FileStatus.Time) -> Moment {
            Moment(seconds: time.seconds, nanoseconds: UInt32(clamping: time.nanoseconds))
        }
        self.init(
            sizeBytes: status.sizeBytes, modified: moment(status.modified),
            changed: moment(status.changed))
    }
}

/// What is kept of one image: a line of 256 characters, which is in one sector of the disk and so
/// is written whole or not at all. It begins with what `sha256sum` prints of the image.
///
/// The last of its fields is a check of all others and of the file system's UUID: what has
/// suffered, and what is of another file system, is no line.
struct KeptDigest: Equatable, Sendable {
    /// The length of a line in bytes, with its end.
    static let lineBytes = 256

    var identity: ImageIdentity
    var stamps: ImageStamps
    /// SHA-256 of its bytes.
    var digest: [UInt8]
    /// When that was taken, in seconds since 1970.
    var takenAt: Int64
    /// Stands for the image's pool and path when it was last looked at.
    var name: UInt64

    /// What stands for an image's name.
    static func name(pool: String, path: String) -> UInt64 {
        let digest = ContentDigest.of(Array("\(pool):\(path)".utf8)) ?? []
        return digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// As a line.
    func line(for fileSystem: FileSystem.Identity) -> [UInt8] {
        let fields: [UInt64] = [
            identity.subvolume, identity.number, identity.generation, stamps.sizeBytes,
            UInt64(bitPattern: stamps.modified.seconds), UInt64(stamps.modified.nanoseconds),
            UInt64(bitPattern: stamps.changed.seconds), UInt64(stamps.changed.nanoseconds),
            UInt64(bitPattern: takenAt), name,
        ]
        var line = digest.flatMap(Self.digits)
        for field in fields { line += [Self.space] + Self.digits(field) }
        line += [Self.space] + Self.check(line, fileSystem)
        line += [UInt8](repeating: Self.space, count: max(0, Self.lineBytes - 1 - line.count))
        return line + [Self.lineEnd]
    }

    /// Reads a line; nil when it is none of this file system's.
    init?(line: ArraySlice<UInt8>, of fileSystem: FileSystem.Identity) {
        let words = line.split(separator: Self.space, omittingEmptySubsequences: false)
        guard line.count == Self.lineBytes, words.count > Self.fieldCount + 1 else { return nil }
        let numbers = words[1...Self.fieldCount].compactMap(Self.number)
        guard words[0].count == 2 * ContentDigest.lengthBytes, numbers.count == Self.fieldCount,
            let modified = UInt32(exactly: numbers[5]), let changed = UInt32(exactly: numbers[7])
        else { return nil }
        digest = stride(from: words[0].startIndex, to: words[0].endIndex, by: 2).compactMap {
            Self.number(words[0][$0..<($0 + 2)]).map { UInt8(truncatingIfNeeded: $0) }
        }
        identity = ImageIdentity(
            subvolume: numbers[0], number: numbers[1], generation: numbers[2])
        stamps = ImageStamps(
            sizeBytes: numbers[3],
            modified: .init(seconds: Int64(bitPattern: numbers[4]), nanoseconds: modified),
            changed: .init(seconds: Int64(bitPattern: numbers[6]), nanoseconds: changed))
        takenAt = Int64(bitPattern: numbers[8])
        name = numbers[9]
        // Its own check among the rest: one way to write it, and no other.
        guard self.line(for: fileSystem).elementsEqual(line) else { return nil }
    }

    init(
        identity: ImageIdentity, stamps: ImageStamps, digest: [UInt8], takenAt: Int64, name: UInt64
    ) {
        self.identity = identity
        self.stamps = stamps
        self.digest = digest
        self.takenAt = takenAt
        self.name = name
    }

    private static let fieldCount = 10
    private static let space = UInt8(ascii: " ")
    private static let lineEnd = UInt8(ascii: "\n")
    private static let hexadecimal = Array("0123456789abcdef".utf8)
    /// Half of the digits of the check's own digest.
    private static let checkBytes = 8

    private static func check(_ line: [UInt8], _ fileSystem: FileSystem.Identity) -> [UInt8] {
        // Without memory for it there is no check, and so no line.
        (ContentDigest.of(fileSystem.bytes + line) ?? []).prefix(checkBytes).flatMap(digits)
    }

    private static func digits(_ byte: UInt8) -> [UInt8] {
        [hexadecimal[Int(byte >> 4)], hexadecimal[Int(byte & 15)]]
    }

    private static func digits(_ number: UInt64) -> [UInt8] {
        stride(from: 56, through: 0, by: -8).flatMap {
            digits(UInt8(truncatingIfNeeded: number >> UInt64($0)))
        }
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        guard (1...16).contains(digits.count) else { return nil }
        var number: UInt64 = 0
        for digit in digits {
            guard let value = hexadecimal.firstIndex(of: digit) else { return nil }
            number = number << 4 | UInt64(value)
        }
        return number
    }
}

extension KeptDigest {
    /// What has come of an image whose bytes were read and were nobody's meanwhile. Pure.
    ///
    /// Its bytes have the last word: what holds what it held is equal, whoever has touched it.
    /// Where they differ, the time of the last write counts, and not that of the last change, which
    /// a new name changes as well: an image gets one whenever its qube stops.
    /// - Parameters:
    ///   - kept: what is kept of this file; nil where nothing is.
    ///   - isNameKnown: another file has stood under its name.
    static func verdict(
        _ kept: KeptDigest?, isNameKnown: Bool, now stamps: ImageStamps, digest: [UInt8]
    ) -> Verification.Verdict {
        guard let kept else { return isNameKnown ? .written : .new }
        if kept.digest == digest, kept.stamps.sizeBytes == stamps.sizeBytes { return .equal }
        let isUntouched =
            kept.stamps.sizeBytes == stamps.sizeBytes && kept.stamps.modified == stamps.modified
        return isUntouched ? .different : .written
    }
}
