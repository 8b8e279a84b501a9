// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol

/// What a check says of damaged metadata, of devices with errors and of unreadable places.
struct DamageRules {
    typealias Finding = CheckReport.Finding

    let site: Site
    let order: WorkerOrder

    private var subject: String {
        site.pools.isEmpty
            ? WorkerOrder.Volume.systemQube : site.pools.map(\.pool.name).joined(separator: ", ")
    }

    /// Reads the trees that every write needs, unless damage is known already.
    func look() throws(BtrfsError) -> SiteNotes.Damage? {
        let metadata = MetadataGuard(site: site)
        if let damage = metadata.remembered { return damage }
        var look = metadata.newLook
        return try metadata.look(&look)
    }

    /// - Parameter damage: what `look()` has found.
    func findings(_ damage: SiteNotes.Damage?, _ list: ImageList) -> [Finding] {
        let metadata = MetadataGuard(site: site)
        let ofSite = (damageFindings(damage, metadata) + devices(metadata)).map {
            var finding = $0
            finding.about = Subject(site)
            return finding
        }
        return ofSite
            + Self.places(UnreadableBook(site: site, order: order).current(list))
    }

    private func damageFindings(
        _ damage: SiteNotes.Damage?, _ metadata: MetadataGuard
    ) -> [Finding] {
        guard let damage else {
            return order.wholeMachine
                ? [Finding(.good, "metadata.damaged", subject, "its metadata can be read")] : []
        }
        return [
            Finding(
                .problem, "metadata.damaged", subject,
                "its metadata is damaged: \(damage.what) cannot be read"
                    // Which devices there are is for who asks about the machine.
                    + (order.wholeMachine ? " (\(metadata.deviceText))" : ""),
                reason: "A write that needs it makes the kernel set the file system read-only, and"
                    + " every running qube loses what it writes. No job is begun there until a"
                    + " scrub has ended without an uncorrectable error.",
                command: "btrfs scrub start -B \(metadata.point)  # and keep a backup at hand")
        ]
    }

    private func devices(_ metadata: MetadataGuard) -> [Finding] {
        guard order.wholeMachine, let devices = try? site.fileSystem.deviceErrors() else {
            return []
        }
        let bad = devices.filter(\.hasAny)
        if bad.isEmpty {
            return [Finding(.good, "device.errors", subject, "no device has counted an error")]
        }
        return bad.map {
            Finding(
                .warning, "device.errors", $0.path, DeviceErrorCounts($0).text,
                reason: "What is bad on one device can be mended from a second copy, where there"
                    + " is one; a disk that loses data loses more.",
                command: "btrfs scrub start -B \(metadata.point) && btrfs device stats --reset"
                    + " \(metadata.point)")
        }
    }

    /// Pure.
    static func places(_ places: [Protocol.UnreadablePlace]) -> [Finding] {
        places.map {
            Finding(
                .problem, "image.unreadable",
                about: .image(qube: $0.qube, volume: $0.volume, path: nil),
                "the disk does not give back \($0.lengthBytes) bytes of \($0.image), at byte"
                    + " \($0.offsetBytes)",
                reason: "Nothing is pointed at it; what reads it gets an error.",
                command: "qvm-volume info \($0.qube):\($0.volume)  # a revision, or a backup")
        }
    }
}

extension Subject {
    /// What is said of a file system as a whole.
    init(_ site: Site) {
        self = site.pools.isEmpty ? .machine : .pools(site.pools.map(\.pool.name))
    }
}

extension Report.Problem {
    /// What is known of damage, for a report.
    static func damage(_ site: Site, _ order: WorkerOrder, _ list: ImageList) -> [Report.Problem] {
        let metadata = MetadataGuard(site: site)
        let damage = metadata.remembered.map {
            // Which devices there are, and where they are mounted, is for who asks about the
            // machine.
            Report.Problem(
                Subject(site),
                order.wholeMachine
                    ? metadata.refusal($0)
                    : "its metadata is damaged: \($0.what) cannot be read; dom0's 'qvm-btrfs check'"
                        + " says more")
        }
        let places = UnreadableBook(site: site, order: order).current(list).map {
            Report.Problem(
                .image(qube: $0.qube, volume: $0.volume, path: $0.image),
                "the disk does not give back \($0.lengthBytes) bytes at byte"
                    + " \($0.offsetBytes); 'qvm-btrfs check \($0.qube)' says more")
        }
        return (damage.map { [$0] } ?? []) + places
    }
}
