// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls

/// The mount options that decide how data is stored.
enum MountOptions {
    private static let names: Set<String> = [
        "compress", "compress-force", "discard", "nodiscard", "nodatacow", "nodatasum",
        "autodefrag",
        "ro", "ssd", "nossd", "space_cache", "nospace_cache", "commit", "degraded", "flushoncommit",
        "max_inline",
    ]

    /// The zstd level at which the kernel packs where nothing else is said.
    static let usualLevel = 3

    /// The level at which others than our jobs pack zstd extents, as far as one can tell: that of
    /// the mount's option. The level is not on the disk.
    static func levelOfOthers(_ options: [String]) -> Int {
        for option in options {
            for name in ["compress=zstd:", "compress-force=zstd:"] where option.hasPrefix(name) {
                return Int(option.dropFirst(name.count)) ?? usualLevel
            }
        }
        return usualLevel
    }

    /// The same of a site: its file system is mounted with one such option, wherever it is.
    static func levelOfOthers(on site: Site) -> Int {
        levelOfOthers((try? site.home?.descriptor.mount())?.options ?? [])
    }

    /// A line for /etc/fstab that mounts it as it is mounted now, with compression. What the kernel
    /// would choose by itself is left out.
    static func fstabLine(_ mount: Mount, _ uuid: String) -> String {
        let usual: Set<String> = ["rw", "relatime", "ssd", "seclabel", "space_cache", "subvolid"]
        let kept = MountCompression.others(mount.options).filter { option in
            !usual.contains(String(option.prefix { $0 != "=" }))
        }
        let options = kept + [MountCompression.option(level: MountCompression.usualLevel)]
        return "UUID=\(uuid) \(mount.point) btrfs \(options.joined(separator: ",")) 0 0"
    }

    /// Of a pool's mount; nil when the kernel does not say.
    static func ofPool(_ pool: PoolSite) -> [String]? {
        guard let mount = try? pool.directory.descriptor.mount() else { return nil }
        return mount.options.filter { option in
            names.contains(String(option.prefix { $0 != "=" }))
        }
    }
}
