// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// What the images of the qubes that were asked about tell.
struct ImageRules {
    typealias Finding = CheckReport.Finding

    /// A qube is fragmented when its extents hold less than this on average,
    static let leastContentBytes: UInt64 = 32 << 10
    /// and has at least so many of them.
    static let manyExtents = 20_000
    /// A precache that holds more of its own than this does not belong to its clean image.
    static let precacheBytes: UInt64 = 16 << 20
    /// What an import or a rename has left is old after a day.
    static let staleSeconds: Int64 = 86400
    /// A start is over after ten minutes, and what it has renamed has its loop device.
    static let startSeconds: Int64 = 600

    let order: WorkerOrder
    let book: AccountBook
    let site: Site

    func findings(_ levels: Levels) -> [Finding] {
        var findings: [Finding] = []
        let volumes = order.volumes.indices.filter { index in
            order.volumes[index].selected
                && site.pools.contains { $0.pool.name == order.volumes[index].pool }
        }
        let attached = CheckFacts.attachedFiles
        for index in volumes {
            let images = book.list.images.filter { $0.volume == index }
            findings +=
                nocow(images, index) + precache(images, index) + stale(images, index)
                + future(images, index) + leftDirty(images, index, attached)
        }
        for (figures, name) in zip(book.sets[.qubes], levels[.qubes].names) {
            findings += fragments(figures, name)
        }
        if findings.isEmpty && !volumes.isEmpty {
            findings.append(
                Finding(
                    .good, "images", about: asked, "no image is NOCOW, stale or in fragments"))
        }
        return findings
    }

    /// What was asked about: one qube, or more than that.
    private var asked: Subject {
        let names = Set(order.volumes.filter(\.selected).map(\.qube))
        return names.count == 1 ? names.first.map { .qube($0) } ?? .machine : .machine
    }

    private func subject(_ index: Int) -> Subject {
        .image(qube: order.volumes[index].qube, volume: order.volumes[index].name, path: nil)
    }

    private func nocow(_ images: [ListedImage], _ index: Int) -> [Finding] {
        let found = images.filter(\.hasNoChecksums)
        guard let first = found.first else { return [] }
        return [
            Finding(
                .problem, "image.nocow", about: subject(index),
                "\(found.count) of its images \(found.count == 1 ? "is" : "are") NOCOW, as"
                    + " \(first.path)",
                reason: "It can be neither compressed nor shared, and bit rot in it goes unseen.",
                command: "qvm-clone \(order.volumes[index].qube) NEW  # once its directory is not"
                    + " +C any more")
        ]
    }

    /// At the next start the precache becomes the image: one that was not renewed after the clean
    /// image was rewritten brings the old blocks back.
    private func precache(_ images: [ListedImage], _ index: Int) -> [Finding] {
        guard let precache = images.first(where: { $0.role == .precache }),
            let clean = images.first(where: { $0.role == .clean })
        else { return [] }
        if precache.status.modified != clean.status.modified
            || precache.sizeBytes != clean.sizeBytes
        {
            return [
                Finding(
                    .note, "image.precache", about: subject(index),
                    "its precache is not a copy of its image any more",
                    reason: "qubesd makes a new one when the qube next starts; until then it takes"
                        + " space.")
            ]
        }
        guard let own = book.figures(of: precache.inode)?.exclusive.rawValue,
            own > Self.precacheBytes
        else { return [] }
        return [
            Finding(
                .warning, "image.precache", about: subject(index),
                "its precache shares \(own >> 20) MiB less with its image than it could",
                reason: "Something has rewritten the image alone. At the next start the precache"
                    + " becomes the image, and what was won is lost.",
                command: "qvm-btrfs dedupe \(order.volumes[index].qube)"
                    + " \(order.volumes[index].name)")
        ]
    }

    private func stale(_ images: [ListedImage], _ index: Int) -> [Finding] {
        let now = site.clock.epochSeconds()
        return images.compactMap { image in
            guard image.role == .importing || image.role == .temporary,
                now - image.status.modified.seconds > Self.staleSeconds
            else { return nil }
            return Finding(
                .warning, "image.stale", about: subject(index),
                "\(image.path) was begun and never finished",
                reason: "A crash has left it, and it takes space until the qube next starts.",
                command: "qvm-start \(order.volumes[index].qube)")
        }
    }

    /// The live images that no running qube can be writing to: no loop device has them open, and
    /// their last rename was long ago.
    /// - Parameters:
    ///   - attached: the files that loop devices have open.
    ///   - now: in seconds since 1970.
    static func leftDirty(
        _ images: [ListedImage], attached: Set<FileStatus.Identity>, now: Int64
    ) -> [ListedImage] {
        images.filter { image in
            let age = now.subtractingReportingOverflow(image.status.changed.seconds)
            return image.role.isLive && !attached.contains(image.status.identity)
                && !age.overflow && age.partialValue > startSeconds
        }
    }

    private func leftDirty(
        _ images: [ListedImage], _ index: Int, _ attached: Set<FileStatus.Identity>?
    ) -> [Finding] {
        guard let attached else { return [] }
        let now = site.clock.epochSeconds()
        return Self.leftDirty(images, attached: attached, now: now).map { image in
            Finding(
                .warning, "image.left-dirty", about: subject(index),
                "\(image.path) is that of a running qube, but no loop device has it open",
                reason: "A crash has left it. Jobs take it for an image in use and leave alone what"
                    + " it alone uses, until qubesd has looked at what it missed.",
                command: "systemctl restart qubesd")
        }
    }

    private func future(_ images: [ListedImage], _ index: Int) -> [Finding] {
        let now = site.clock.epochSeconds()
        let found = images.filter { image in
            if case .revision(_, let createdAt) = image.role {
                return createdAt > now + Self.staleSeconds
            }
            return false
        }
        guard let first = found.first else { return [] }
        return [
            Finding(
                .warning, "image.revision", about: subject(index),
                "a revision is dated in the future: \(first.path)",
                reason: "Revisions are sorted by date: 'qvm-volume revert' takes this one for the"
                    + " newest until then.", command: "date  # is the clock right?")
        ]
    }

    private func fragments(_ figures: SpaceFigures, _ qube: String) -> [Finding] {
        let content = StorageKind.allCases.reduce(0 as UInt64) {
            $0 + figures.storage[$1].content.rawValue
        }
        guard figures.extents >= Self.manyExtents,
            content / UInt64(figures.extents) < Self.leastContentBytes
        else { return [] }
        return [
            Finding(
                .warning, "image.fragments", about: .qube(qube),
                "its images lie in \(figures.extents) extents of"
                    + " \(content / UInt64(figures.extents) >> 10) KiB on average",
                reason: "Starting and stopping it takes longer with each of them, and metadata"
                    + " grows.", command: "qvm-btrfs defragment \(qube)")
        ]
    }
}
