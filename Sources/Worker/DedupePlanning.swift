// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol

/// Fingerprints, matches and plans one file system's part of a dedupe job.
struct DedupePlanning {
    let site: Site
    let store: BtrfsStore
    let output: Output

    func plan(_ survey: Survey, scope: Scope) throws(BtrfsError) -> Plan {
        Plan()
    }
}
