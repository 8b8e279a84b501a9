// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Lets go of what a job has read and nobody may need for a while: it must not push out of memory
/// what qubes work with. Whatever became of an extent: replaced, left alone or failed.
///
/// What was in the cache when the job came to it is somebody's, and stays; so does all of a file
/// that a running qube writes to. `FreshSources` knows the rest: what was absent, or was let go
/// before.
struct ReadPages: Sendable {
    let store: any ExtentStore
    let fresh: FreshSources
    let roles: any LiveRoles
    let uses: PageUses

    /// Once for each file and range: each call may have to wait for all processors.
    func letGo(
        of ranges: [InodeIdentifier: [Range<ByteCount>]],
        _ open: (InodeIdentifier) -> (any OpenFile)?
    ) {
        for (inode, ranges) in ranges where !roles.isLive(inode) {
            guard let file = open(inode) else { continue }
            fresh.letGo(of: Ranges.union(ranges), in: inode, file) {
                uses.unneeded(of: $0, in: inode)
            }
        }
    }

    /// What was read through these.
    func letGo(of references: [OpenReference]) {
        let groups = Dictionary(grouping: references, by: \.inode)
        letGo(of: groups.mapValues { $0.map { $0.fileRange(sectorBytes: store.sectorBytes) } }) {
            groups[$0]?.first?.file
        }
    }
}

extension OpenReference {
    /// Where in its file, in whole sectors.
    fileprivate func fileRange(sectorBytes: ByteCount) -> Range<ByteCount> {
        let start = ByteCount(fileOffset.rawValue)
        return start..<(start + lengthBytes.roundedUp(to: sectorBytes))
    }
}
