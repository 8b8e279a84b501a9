// SPDX-License-Identifier: GPL-2.0-or-later
internal import Qubes

/// What the options of a mounted file system say of compression, and which have to be set so that
/// one counts and all others stay. Pure; the options are those of the file system, not of a mount.
enum MountCompression {
    /// Whether compression may be set there.
    enum Standing: Equatable {
        /// It may.
        case plain
        /// It may not: this option stands in the way.
        case hindered(by: String)
        /// It is compressed already, by this option.
        case compressed(String)
    }

    /// The levels that the kernel knows of everywhere; negative ones come with Linux 6.15.
    static let levels = SettingsFeature.mountLevels
    /// The level where nobody has said one. A qube waits for what it writes: the lowest one costs
    /// it least, and jobs pack at others what is worth it.
    static let usualLevel = 1

    /// The option that sets a level, as the kernel shows it afterwards.
    static func option(level: Int) -> String { "compress=zstd:\(level)" }

    /// The option that is in force; nil where nothing is compressed by one.
    static func option(_ options: [String]) -> String? { options.first(where: isCompression) }

    /// All but that one, in the kernel's order.
    static func others(_ options: [String]) -> [String] { options.filter { !isCompression($0) } }

    /// How a file system stands.
    static func standing(_ options: [String]) -> Standing {
        // Nothing is written to what is read-only, by somebody's decision or by that of a kernel
        // that has found an error: it is not touched. And the kernel takes `compress` for a wish to
        // have checksums and copies on write again.
        for hindrance in ["ro", "nodatacow", "nodatasum"] where options.contains(hindrance) {
            return .hindered(by: hindrance)
        }
        return option(options).map { .compressed($0) } ?? .plain
    }

    /// What to set so that this option is in force, or none of them with nil.
    ///
    /// `ro` and `noacl` have to be said again: each reconfiguration that does not say so makes the
    /// file system writable and turns access lists on (SB_RDONLY, SB_POSIXACL in
    /// fs/btrfs/super.c). Nothing else is lost that was not said.
    static func settings(for option: String?, among options: [String]) -> [String] {
        options.filter { ["ro", "noacl"].contains($0) } + [option ?? "compress=no"]
    }

    private static func isCompression(_ option: String) -> Bool {
        let name = option.prefix { $0 != "=" }
        return name == "compress" || name == "compress-force"
    }
}
