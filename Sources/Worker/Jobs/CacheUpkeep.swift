// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls
internal import SystemPackage

/// Removes from the cache directory what was kept of file systems that are gone.
///
/// Whether one is gone nobody can know: its disk may be in a drawer. So what counts is that it is
/// not mounted now, and that no job has opened its files for so long; what is removed then costs
/// the next job time and nothing else. Of one that is mounted nothing is ever removed.
struct CacheUpkeep: Sendable {
    static let keptSeconds: Int64 = 60 * 86_400

    /// Where the kernel lists the file systems that are mounted.
    var mounted: FilePath = "/sys/fs/btrfs"
    /// Seconds since 1970.
    var now: Int64

    /// To be called before the worker has forbidden itself to remove anything.
    func prune(_ directory: SharedDescriptor) {
        let names = (try? directory.descriptor.entries()) ?? []
        let mounted = Set(SmallFile.names(in: mounted).map { $0.filter { $0 != "-" } })
        for name in names {
            guard let identity = Self.identity(name), !mounted.contains(identity),
                let status = try? directory.descriptor.status(ofEntry: name),
                status.isRegularFile,
                now - status.modified.seconds > Self.keptSeconds
            else { continue }
            do throws(Errno) {
                try directory.descriptor.remove(entry: name)
                Log.note("\(name) was removed: its file system was not seen for long")
            } catch {
                CacheFile.complain(name, error)
            }
        }
    }

    /// The UUID's digits that a file of ours ends with; nil for any other. Pure.
    static func identity(_ name: String) -> String? {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts[1].count == 32,
            parts[1].allSatisfy({ $0.isASCII && $0.isHexDigit && !$0.isUppercase })
        else { return nil }
        return String(parts[1])
    }
}
