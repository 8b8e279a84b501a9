// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// Whether what a qube writes from now on will be compressed. Changes nothing.
struct NewDataFacts {
    /// What is known of a file or directory that data is written to, or that hands down.
    struct Place: Equatable {
        var isNocow = false
        var hasNoCompressFlag = false
        var hasCompressFlag = false
        var isWrittenDirectly = false
    }

    /// The files behind loop devices that write past the page cache where that matters.
    private let direct: Set<FileStatus.Identity>

    init() {
        let mayPassCache = (CheckFacts.kernel?.version).map(CheckRules.mayWritePastCache) ?? true
        direct =
            mayPassCache
            ? Set(CheckFacts.loops.filter(\.isDirect).compactMap(\.backingIdentity)) : []
    }

    /// The order of the kernel's own decision (inode_need_compress in fs/btrfs/inode.c).
    static func judge(_ place: Place, options: [String]) -> (Bool, NewData.Reason) {
        func isMounted(_ option: String) -> Bool {
            options.contains { $0 == option || $0.hasPrefix(option + "=") }
        }
        if place.isNocow { return (false, .nocow) }
        if place.isWrittenDirectly { return (false, .directIO) }
        if isMounted("compress-force") { return (true, .mountForce) }
        if place.hasNoCompressFlag { return (false, .noCompressFlag) }
        if place.hasCompressFlag { return (true, .flag) }
        if isMounted("compress") { return (true, .mount) }
        return (false, .nothing)
    }

    /// Of a volume of the order; nil when its directory cannot be looked at.
    func newData(ofVolume index: Int, _ list: ImageList, _ site: Site, _ order: WorkerOrder)
        -> NewData?
    {
        let volume = order.volumes[index]
        let path = ImageList.split(volume.volumeIdentifier).directory
        guard let pool = site.pools.first(where: { $0.pool.name == volume.pool }),
            let folder = try? pool.folder(path, on: site.fileSystem),
            let flags = try? FileFlags.of(folder.descriptor)
        else { return nil }
        let options = MountOptions.ofPool(pool) ?? []
        let later = Self.judge(
            Place(
                isNocow: flags.contains(.noCopyOnWrite),
                hasNoCompressFlag: flags.contains(.noCompress),
                hasCompressFlag: flags.contains(.compress)), options: options)
        let image = Self.written(list.images.filter { $0.volume == index })
        let now = image.flatMap { place(of: $0, site) }.map {
            Self.judge($0, options: options)
        }
        return NewData(
            isCompressed: now?.0, reason: now?.1 ?? later.1, isCompressedLater: later.0,
            directoryProperty: (try? CompressionProperty.value(of: folder.descriptor)) ?? nil)
    }

    /// The image that is written to next: what runs, then what the next start takes.
    private static func written(_ images: [ListedImage]) -> ListedImage? {
        images.first { $0.role.isLive } ?? images.first { $0.role == .precache }
            ?? images.first { $0.role == .clean }
    }

    private func place(of image: ListedImage, _ site: Site) -> Place? {
        guard let item = try? site.fileSystem.inode(image.inode) else { return nil }
        return Place(
            isNocow: item.hasNoChecksums, hasNoCompressFlag: item.isNoCompress,
            hasCompressFlag: item.isCompress,
            isWrittenDirectly: direct.contains(image.status.identity)
                && (try? site.writtenSinceMade(image))?.packedBytes ?? .zero == .zero)
    }
}
