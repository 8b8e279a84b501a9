// SPDX-License-Identifier: GPL-2.0-or-later
public import SystemPackage

/// Where the daemon finds and puts things, from its command line.
public struct Settings: Equatable, Sendable {
    /// The socket to listen on; nil for the one that systemd passes.
    public var socket: FilePath?
    /// Qubes' own inventory.
    public var qubesXML: FilePath = "/var/lib/qubes/qubes.xml"
    /// qubesd, asked for what a caller may see.
    public var qubesdSocket: FilePath = "/var/run/qubesd.sock"
    /// The program that does one job; nil for this one under its other name. Whatever is installed
    /// in its place meanwhile, a daemon so has the worker that it was built with.
    public var worker: FilePath?
    /// The history of jobs.
    public var stateDirectory: FilePath = "/var/lib/qubes-btrfs"
    /// The worker's cache of fingerprints.
    public var cacheDirectory: FilePath = "/var/cache/qubes-btrfs"
    /// The audit log.
    public var logFile: FilePath = "/var/log/qubes/btrfs.log"
    /// The journal's socket for records.
    public var journalSocket: FilePath = "/run/systemd/journal/socket"

    /// Where dom0's own folders are, `SystemDirectories`.
    public var systemRoot: FilePath = "/"

    /// The defaults.
    public init() {}

    /// Reads a command line, the program's name left out. Every option takes one absolute path.
    public init(arguments: [String]) throws(UsageError) {
        var left = arguments[...]
        var seen: Set<String> = []
        while let option = left.popFirst() {
            guard let place = Self.places[option] else { throw .unknownOption(option) }
            guard seen.insert(option).inserted else { throw .repeated(option) }
            guard let value = left.popFirst() else { throw .missingPath(option) }
            let path = FilePath(value)
            guard path.isAbsolute else { throw .notAbsolute(option) }
            place(&self, path)
        }
    }

    /// Every option, with what it sets.
    private static let places: [String: @Sendable (inout Settings, FilePath) -> Void] = [
        "--socket": { $0.socket = $1 },
        "--qubes-xml": { $0.qubesXML = $1 },
        "--qubesd-socket": { $0.qubesdSocket = $1 },
        "--worker": { $0.worker = $1 },
        "--state-directory": { $0.stateDirectory = $1 },
        "--cache-directory": { $0.cacheDirectory = $1 },
        "--log-file": { $0.logFile = $1 },
        "--system-root": { $0.systemRoot = $1 },
        "--journal-socket": { $0.journalSocket = $1 },
    ]

    /// The names of all options, sorted.
    static var options: [String] { places.keys.sorted() }
}

/// Why a command line was refused.
public enum UsageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No such option.
    case unknownOption(String)
    /// An option stands there twice.
    case repeated(String)
    /// An option stands there without its path.
    case missingPath(String)
    /// An option's path does not begin with `/`.
    case notAbsolute(String)

    /// What was wrong and what is allowed.
    public var description: String {
        switch self {
        case .unknownOption(let option):
            "unknown option '\(option)'; known are \(Settings.options.joined(separator: ", "))"
        case .repeated(let option): "\(option) is given twice; give it once"
        case .missingPath(let option): "\(option) needs a path behind it"
        case .notAbsolute(let option): "\(option) needs an absolute path, one that begins with /"
        }
    }
}
