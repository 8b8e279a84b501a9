// SPDX-License-Identifier: GPL-2.0-or-later

/// What an image file is to its volume, as qubesd's driver `file-reflink` names it.
public enum ImageRole: Equatable, Sendable {
    /// `V.img`: the committed state.
    case clean
    /// `V-dirty.img`: what a running qube writes to, or a crash has left.
    case dirty
    /// `V-precache.img`: a clone of the clean image, the next dirty one.
    case precache
    /// `V.img.N@YYYY-MM-DDTHH:MM:SSZ`: an older state; `createdAt` in seconds since 1970, UTC.
    case revision(number: UInt64, createdAt: Int64)
    /// `V-import.img`: another process fills it.
    case importing
    /// `V-dirty.img` of a volume that is kept nowhere.
    case volatileImage
    /// `X~random`, for any X of the above: it becomes X by a rename, or is removed.
    case temporary

    /// The name in reports.
    public var name: String {
        switch self {
        case .clean: "clean"
        case .dirty: "dirty"
        case .precache: "precache"
        case .revision: "revision"
        case .importing: "import"
        case .volatileImage: "volatile"
        case .temporary: "temporary"
        }
    }

    /// A running qube writes to such a file.
    public var isLive: Bool { self == .dirty || self == .volatileImage }

    /// Nobody writes to such a file in place: qubesd makes another, and renames it.
    public var isAtRest: Bool {
        switch self {
        case .clean, .precache, .revision: true
        case .dirty, .importing, .volatileImage, .temporary: false
        }
    }

    /// The longest random part of a temporary file's name, in bytes (Python's `tempfile` makes 8).
    public static let randomBytes = 32

    /// The role of a file, by its name alone.
    /// - Parameters:
    ///   - fileName: its name, without a directory.
    ///   - base: the last component of the volume's identifier: `private`.
    ///   - isVolatile: the volume is kept nowhere between starts.
    /// - Returns: nil for a file that is not the volume's.
    public static func of(
        fileName: String, volume base: String, isVolatile: Bool
    ) -> ImageRole? {
        // Bytes, as the file system compares them: strings are equal that only look the same.
        let name = Array(fileName.utf8)
        guard !base.isEmpty, name.starts(with: base.utf8) else { return nil }
        let suffix = name.dropFirst(base.utf8.count)
        guard let mark = suffix.firstIndex(of: UInt8(ascii: "~")) else {
            return role(suffix, isVolatile: isVolatile)
        }
        let random = suffix[(mark + 1)...]
        let isTemporary =
            (1...randomBytes).contains(random.count) && random.allSatisfy(isRandom)
            && role(suffix[..<mark], isVolatile: isVolatile) != nil
        return isTemporary ? .temporary : nil
    }

    /// The role by what follows the volume's own name.
    private static func role(_ suffix: ArraySlice<UInt8>, isVolatile: Bool) -> ImageRole? {
        switch String(decoding: suffix, as: UTF8.self) {
        case ".img": return .clean
        case "-dirty.img": return isVolatile ? .volatileImage : .dirty
        case "-precache.img": return .precache
        case "-import.img": return .importing
        default: break
        }
        let start = Array(".img.".utf8)
        guard suffix.starts(with: start) else { return nil }
        let rest = suffix.dropFirst(start.count)
        guard let mark = rest.firstIndex(of: UInt8(ascii: "@")),
            let number = decimal(rest[..<mark]),
            let createdAt = secondsSince1970(rest[(mark + 1)...])
        else { return nil }
        return .revision(number: number, createdAt: createdAt)
    }

    private static func isRandom(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: byte == UInt8(ascii: "_") || isDigit(byte)
        }
    }
}
