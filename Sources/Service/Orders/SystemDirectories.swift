// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemPackage

/// dom0's own folders: what its updates write, and little else. Homes and the root's other folders
/// are not among them: nobody asked for those to be touched.
enum SystemDirectories {
    /// Below the root.
    static let paths = [
        "usr", "etc", "srv", "var/lib/dnf", "var/log", "var/lib/qubes/vm-kernels",
    ]

    /// Absolute paths, with another root in tests.
    static func below(_ root: FilePath) -> [String] {
        paths.map { root.appending($0).string }
    }
}
