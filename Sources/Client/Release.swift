// SPDX-License-Identifier: GPL-2.0-or-later

/// Which release this is; the protocol has a version of its own.
enum Release {
    /// What `qvm-btrfs --version` says.
    static let version = "0.1.0"
}
