// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// Where the worker finds and puts things, from its command line. The daemon gives the cache's
/// directory; the others are for machines, and tests, where things are elsewhere.
struct WorkerPlaces: Equatable, Sendable {
    /// Where fingerprints are kept; nil to keep none.
    var cacheDirectory: FilePath?
    /// Where is kept what must not be lost about a file system; nil to keep nothing.
    var stateDirectory: FilePath?
    /// Where the unified hierarchy of control groups is mounted.
    var controlGroups: FilePath = "/sys/fs/cgroup"
    /// Where the kernel lists mains and batteries.
    var powerSupplies: FilePath = "/sys/class/power_supply"

    /// Whoever holds a lock on this file keeps jobs waiting.
    var lockFile = JobLock.path

    /// What any one thing that can spill may take in memory at most: tests give it little.
    var heldBytes = Int.max

    /// Reads a command line, the program's name left out.
    init(arguments: [String]) throws(Failure) {
        var left = arguments[...]
        while let option = left.popFirst() {
            guard let value = left.popFirst(), !value.isEmpty else { throw Self.wrong }
            switch option {
            case "--cache-directory": cacheDirectory = FilePath(value)
            case "--state-directory": stateDirectory = FilePath(value)
            case "--control-groups": controlGroups = FilePath(value)
            case "--power-supplies": powerSupplies = FilePath(value)
            case "--lock-file": lockFile = FilePath(value)
            case "--held-bytes":
                guard let bytes = Int(value), bytes >= 0 else { throw Self.wrong }
                heldBytes = bytes
            default: throw Self.wrong
            }
        }
    }

    /// The cache's directory, open.
    func openCache() throws(Failure) -> SharedDescriptor? {
        try Self.open(cacheDirectory, "cache")
    }

    /// The state's directory, open.
    func openState() throws(Failure) -> SharedDescriptor? {
        try Self.open(stateDirectory, "state")
    }

    private static func open(
        _ path: FilePath?, _ name: String
    ) throws(Failure) -> SharedDescriptor? {
        guard let path else { return nil }
        do throws(Errno) {
            return SharedDescriptor(try Descriptor.open(path, [.readOnly, .directory]))
        } catch {
            throw Failure(
                .failed, "the \(name) directory cannot be opened; dom0's journal has the detail",
                detail: "\(path): \(error)")
        }
    }

    private static let wrong = Failure(
        .failed, "the worker was started wrongly; qubes-btrfsd starts it")
}
