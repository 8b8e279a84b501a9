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

    /// Of a pool's mount; nil when the kernel does not say.
    static func ofPool(_ pool: PoolSite) -> [String]? {
        guard let mount = try? pool.directory.descriptor.mount() else { return nil }
        return mount.options.filter { option in
            names.contains(String(option.prefix { $0 != "=" }))
        }
    }
}
