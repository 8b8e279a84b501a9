// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls

/// Which subvolumes a report shows with what deleting them would bring.
enum HolderList {
    /// Snapshots and other subvolumes but for those that are in use: what an image, a pool or one
    /// of dom0's own folders is in, and what is mounted. Snapshots first, as there is a limit.
    static func holders(
        on site: Site, besides list: ImageList
    ) throws(BtrfsError) -> [Subvolume] {
        var used = Set(list.imageFiles().map(\.inode.subvolume))
        var devices: Set<String> = []
        for directory in site.pools.map(\.directory) + site.systemFolders.map(\.directory) {
            add(directory.descriptor, of: site, to: &used)
            if let mount = try? directory.descriptor.mount() { devices.insert(mount.device) }
        }
        // What is on another file system is not even opened: it may stand still for good.
        for mount in Mount.all where mount.kind == "btrfs" && devices.contains(mount.device) {
            guard let point = try? Descriptor.open(mount.path, [.readOnly, .directory]) else {
                continue
            }
            add(point, of: site, to: &used)
        }
        let others = try site.fileSystem.subvolumes().filter { !used.contains($0.tree) }
        return others.filter(\.isSnapshot) + others.filter { !$0.isSnapshot }
    }

    private static func add(
        _ directory: borrowing Descriptor, of site: Site, to used: inout Set<TreeIdentifier>
    ) {
        let tree = try? site.fileSystem.subvolume(holding: directory, path: "a directory")
        if let tree = tree ?? nil { used.insert(tree) }
    }
}

extension ReportWork {
    /// Says what snapshots and other subvolumes hold, and of which qubes.
    func addHolders(
        to report: inout Report, _ books: [AccountBook], _ levels: Levels
    ) {
        var holders: [SpaceHolder] = []
        var together = ByteCount.zero
        var held = [ByteCount](repeating: .zero, count: levels[.qubes].names.count)
        for book in books where book.isWhole && !book.holders.isEmpty {
            let space = book.account.held
            together += space.together
            for (place, holder) in book.holders.prefix(Holders.most).enumerated() {
                holders.append(
                    SpaceHolder(
                        path: holder.path, isSnapshot: holder.isSnapshot,
                        diskBytes: space.disk[place].rawValue,
                        exclusiveBytes: space.exclusive[place].rawValue))
            }
            if book.holders.count > Holders.most {
                holders.append(
                    SpaceHolder(
                        path: nil, isSnapshot: false,
                        count: UInt64(book.holders.count - Holders.most),
                        diskBytes: space.disk[Holders.most].rawValue,
                        exclusiveBytes: space.exclusive[Holders.most].rawValue))
            }
            for (set, bytes) in space.sets[Levels.Kind.qubes.rawValue].enumerated() {
                held[set] += bytes
            }
        }
        guard !holders.isEmpty else { return }
        report.machine?.holders = holders.sorted {
            ($0.exclusiveBytes, $0.diskBytes, $1.path ?? "")
                > ($1.exclusiveBytes, $1.diskBytes, $0.path ?? "")
        }
        report.machine?.holdersBytes = together.rawValue
        report.machine?.heldOfQubes = zip(levels[.qubes].names, held).filter { $0.1 > .zero }
            .map { HeldOfQube(qube: $0.0, bytes: $0.1.rawValue) }
            .sorted { ($0.bytes, $1.qube) > ($1.bytes, $0.qube) }
    }
}
