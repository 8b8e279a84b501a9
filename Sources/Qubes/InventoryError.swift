// SPDX-License-Identifier: GPL-2.0-or-later
public import SystemPackage

/// The bounds of a qubes.xml that is read. Each has a test at the limit.
public enum InventoryLimits {
    /// The longest file, in bytes. It is below the 10,000,000 at which libxml2 has bounds of its
    /// own, and leaves a thousand qubes 8 KiB each.
    public static let fileBytes = 8 * 1024 * 1024
    /// The most `<` in the file, which bounds the elements and with them the memory: some hundred
    /// bytes each. A thousand qubes may have 500 each.
    public static let markupCharacters = 500_000
    /// The most elements one in another, the root among them.
    public static let depth = 32
    /// The most pools.
    public static let pools = 256
    /// The most qubes, dom0 among them.
    public static let qubes = 4096
    /// The most volumes of one qube.
    public static let volumesPerQube = 64
    /// The most features of one qube.
    public static let featuresPerQube = 1024
    /// The most tags of one qube.
    public static let tagsPerQube = 1024
    /// The most volumes of what is left out that are protected.
    public static let protectedVolumes = 16384
}

/// Why qubes.xml could not be used, or what of it: an error that is thrown is about all of it, one
/// of `LeftOut` about one thing in it.
public struct InventoryError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Reason: Equatable, Sendable {
        /// The file cannot be opened or read.
        case unreadable(Errno)
        /// It is no regular file.
        case notAFile
        /// It is longer than `InventoryLimits.fileBytes`.
        case tooLong
        /// It is no XML; libxml2's own words, escaped.
        case notWellFormed(String)
        /// It has a DOCTYPE, which qubes.xml never has.
        case documentType
        /// It uses a namespace, which qubes.xml never does.
        case namespace
        /// Elements are nested deeper than `InventoryLimits.depth`.
        case tooDeep
        /// There are more of these than the limit.
        case tooMany(String, limit: Int)
        /// An element, an attribute or a property is missing.
        case missing(String)
        /// A second one of what there can be one of.
        case duplicate(String)
        /// A volume lies in a pool that is not there, or is left out itself; the pool is escaped.
        case noSuchPool(String)
        /// A value that cannot be; the value is escaped and cut.
        case invalid(what: String, value: String)
    }

    /// What was wrong.
    public let reason: Reason
    /// With which thing: the path, or an element such as `volume 'root' of domain 'domain-2'`.
    public let subject: String
    /// The line of the element, from 1; 0 where there is none.
    public let line: Int

    init(_ reason: Reason, _ subject: String, line: Int = 0) {
        self.reason = reason
        self.subject = subject
        self.line = line
    }

    /// One sentence, of printable ASCII but for what libxml2 or errno says.
    public var description: String {
        let place = line > 0 ? "qubes.xml, line \(line), \(subject)" : "qubes.xml, \(subject)"
        return "\(place): \(explanation)"
    }

    private var explanation: String {
        switch reason {
        case .unreadable(let errno): "cannot be read: \(errno)"
        case .notAFile: "is not a regular file"
        case .tooLong: "is longer than \(InventoryLimits.fileBytes) bytes"
        case .notWellFormed(let message): "is not well-formed XML: \(message)"
        case .documentType: "has a DOCTYPE, which is refused"
        case .namespace: "uses a namespace, which is refused"
        case .tooDeep: "is nested deeper than \(InventoryLimits.depth) elements"
        case .tooMany(let what, let limit): "has more than \(limit) \(what)"
        case .missing(let what): "has no \(what)"
        case .duplicate(let what): "has a second \(what)"
        case .noSuchPool(let pool): "lies in the pool \(pool), which is not known"
        case .invalid(let what, let value): "has \(what) \(value), which cannot be"
        }
    }
}
