// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol

/// What a file system is laid out on: profiles, devices that take no discards, and what a
/// conversion has left. Pure.
enum LayoutRules {
    typealias Finding = CheckReport.Finding

    /// Several profiles of one kind are what a conversion that was broken off leaves.
    static func profiles(_ space: SpaceInfo, _ subject: String, _ point: String) -> [Finding] {
        let kinds = [
            ("data", "d", space.dataProfiles, space.dataProfile),
            ("metadata", "m", space.metadataProfiles, space.metadataProfile),
        ].filter { $0.2.count > 1 }
        if kinds.isEmpty { return [] }
        let texts = kinds.map { name, _, profiles, _ in
            "\(name) (\(profiles.map(\.name).sorted().joined(separator: ", ")))"
        }
        let filters = kinds.map { _, letter, _, wanted in
            "-\(letter)convert=\(wanted.name),soft"
        }
        return [
            Finding(
                .warning, "profile.mixed", subject,
                "several profiles are mixed in its \(texts.joined(separator: " and in its "))",
                reason: "A conversion was never finished: a part has fewer copies than the rest,"
                    + " and room is not what it seems.",
                command: "btrfs balance start \(filters.joined(separator: " ")) \(point)")
        ]
    }

    /// - Parameter subvolumes: all that the file system has.
    static func conversion(
        _ subvolumes: [Subvolume], _ subject: String, _ point: String
    ) -> [Finding] {
        // As btrfs-convert names it, at the top.
        guard let saved = subvolumes.first(where: { $0.path == "ext2_saved" }) else { return [] }
        return [
            Finding(
                .note, "convert.saved", subject,
                "it was converted from ext4, and what that was is kept (ext2_saved)",
                reason: "It holds all that was there: what jobs pack or share comes back when it is"
                    + " deleted. Then there is no way back to ext4 (btrfs-convert -r).",
                command: "btrfs subvolume delete --subvolid \(saved.tree.rawValue) \(point)")
        ]
    }

    /// Freed space is to be discarded, and some device takes no discards.
    /// - Parameter options: of the mount.
    static func discards(
        _ devices: [BlockDevice], _ options: [String], _ subject: String
    ) -> [Finding] {
        let refusing = devices.filter { $0.passesDiscards == false && !$0.isRotational }
        guard let first = refusing.first,
            options.contains(where: { $0 == "discard" || $0.hasPrefix("discard=") })
        else { return [] }
        return [
            Finding(
                .note, "device.discard", subject,
                "its discards do not arrive: \(first.name) takes none (discard_max_bytes is 0)",
                reason: "The disk has none, or what lies in between passes none on: LUKS does with"
                    + " the option discard in /etc/crypttab, which shows on the disk what is free.",
                command: "lsblk --discard")
        ]
    }
}

/// A block device below a file system.
struct BlockDevice: Equatable {
    /// As in `/sys/class/block`.
    let name: String
    /// Nil where the kernel does not say.
    let passesDiscards: Bool?
    let isRotational: Bool
}
