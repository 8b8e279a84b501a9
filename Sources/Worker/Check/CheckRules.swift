// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol

/// What facts about the machine mean. Pure.
enum CheckRules {
    typealias Finding = CheckReport.Finding

    /// Encoded writes, which compression is made of.
    static let encodedWrites = KernelVersion(5, 18)
    /// Direct writes to files with checksums go through the page cache from here on; and in later
    /// releases of earlier kernels, too, which only what was written shows.
    private static let bufferedDirectWrites = KernelVersion(6, 15)

    /// Whether direct writes may go past the page cache, where nothing compresses them.
    static func mayWritePastCache(_ kernel: KernelVersion) -> Bool {
        kernel < bufferedDirectWrites
    }

    static func kernel(_ release: String, _ version: KernelVersion) -> [Finding] {
        if version < encodedWrites {
            return [
                Finding(
                    .problem, "kernel", "dom0", "the kernel is \(release)",
                    reason: "Compression needs \(encodedWrites) or later.",
                    command: "qubes-dom0-update kernel")
            ]
        }
        let faults = KernelFault.all.filter { $0.isIn(version) }
        if faults.isEmpty {
            return [Finding(.good, "kernel", "dom0", "the kernel is \(release)")]
        }
        return faults.map { fault in
            Finding(
                .warning, "kernel.fault", "dom0",
                "the kernel is \(release), in which Btrfs has a known fault: \(fault.text)",
                reason: "Later ones have it mended (\(fault.commit) in the kernel's sources).",
                command: "qubes-dom0-update kernel")
        }
    }

    /// - Parameter line: for /etc/fstab, with compression; nil where the mount is not known.
    static func mount(
        _ options: [String], _ subject: String, _ point: String, fstab line: String? = nil
    ) -> [Finding] {
        let names = Set(options.map { String($0.prefix { $0 != "=" }) })
        var findings: [Finding] = []
        if names.contains("ro") {
            findings.append(
                Finding(
                    .problem, "mount.read-only", subject, "it is mounted read-only",
                    reason: "Btrfs does so by itself after an error; nothing can be worked on.",
                    command: "dmesg"))
        }
        if options.contains("discard") || options.contains("discard=sync") {
            findings.append(
                Finding(
                    .problem, "mount.discard", subject, "it discards at once (discard=sync)",
                    reason: "Each freed extent waits for the disk: qubes freeze, and shutting down"
                        + " takes minutes.",
                    command: "mount -o remount,discard=async \(point)  # and in /etc/fstab"))
        } else if options.contains("discard=async") {
            findings.append(
                Finding(.good, "mount.discard", subject, "freed space is discarded in batches"))
        } else {
            findings.append(
                Finding(
                    .note, "mount.discard", subject, "freed space is not discarded",
                    reason: "A solid-state disk that is not told stays slower than it could be;"
                        + " fstrim.timer serves as well.",
                    command: "mount -o remount,discard=async \(point)  # and in /etc/fstab"))
        }
        for name in ["nodatacow", "nodatasum"] where names.contains(name) {
            findings.append(
                Finding(
                    .problem, "mount.\(name)", subject, "it is mounted with \(name)",
                    reason: "New images can be neither compressed nor shared, and bit rot goes"
                        + " unseen.",
                    command: "mount -o remount,datacow,datasum \(point)  # and in /etc/fstab"))
        }
        if names.contains("autodefrag") {
            findings.append(
                Finding(
                    .warning, "mount.autodefrag", subject, "it is mounted with autodefrag",
                    reason: "It rewrites what is shared with clones and revisions, so that space"
                        + " use grows.",
                    command: "mount -o remount,noautodefrag \(point)  # and in /etc/fstab"))
        }
        return findings + compression(options, subject, fstab: line)
    }

    private static func compression(
        _ options: [String], _ subject: String, fstab line: String?
    ) -> [Finding] {
        if let option = options.first(where: { $0.hasPrefix("compress") }) {
            return [
                Finding(
                    .good, "mount.compress", subject, "new data is compressed (\(option))")
            ]
        }
        return [
            Finding(
                .note, "mount.compress", subject, "new data is not compressed as it is written",
                reason: "What is written stays plain until a job packs it.",
                command: "systemctl enable --now qubes-btrfs-compress.service"
                    + (line.map { "  # or in /etc/fstab: \($0)" } ?? ""))
        ]
    }

    static func space(
        _ usage: FileSystemUsage, _ subject: String, _ point: String
    ) -> [Finding] {
        var findings: [Finding] = []
        let balance = "btrfs balance start -dusage=30 \(point)"
        if usage.isMixed == true {
            // What is free is free for both.
        } else if usage.metadataEndsAfterBytes != nil {
            findings.append(
                Finding(
                    .problem, "space.metadata", subject, "metadata will run out before data does",
                    reason: "\(usage.metadataRoomBytes >> 20) MiB are left for it on these devices."
                        + " With metadata full every write fails, and qubes lose what they write,"
                        + " whatever is free for data.", command: balance))
        } else {
            findings.append(
                Finding(.good, "space.metadata", subject, "metadata has room for what data grows"))
        }
        let room = usage.dataRoomBytes
        let least = min(usage.deviceBytes / 20, 20 << 30)
        findings.append(
            room < least
                ? Finding(
                    .warning, "space.data", subject,
                    "\(room >> 20) MiB are left for data",
                    reason: "A full file system refuses every write of every qube; jobs need room"
                        + " for scratch as well.",
                    command: "qvm-btrfs report")
                : Finding(
                    .good, "space.data", subject, "there is room for \(room >> 30) GiB of data"))
        return findings
    }

    static func checksums(_ kind: ChecksumKind, _ subject: String) -> [Finding] {
        [Finding(.good, "checksums", subject, "content is checked by \(kind)")]
    }

    static func features(
        _ features: Set<String>, _ subject: String, _ point: String
    ) -> [Finding] {
        var findings: [Finding] = []
        if !features.contains("free_space_tree") {
            findings.append(
                Finding(
                    .warning, "feature.free-space-tree", subject,
                    "free space is kept in files, as before 2016",
                    reason: "Commits stall on large file systems while it is written.",
                    command: "mount -o clear_cache,space_cache=v2 \(point)  # once, from a rescue"
                        + " system"))
        }
        if features.contains("mixed_groups") {
            findings.append(
                Finding(
                    .warning, "feature.mixed-groups", subject, "data and metadata are mixed",
                    reason: "It is meant for disks of a few GiB: slow, and neither can be balanced"
                        + " alone."))
        }
        if findings.isEmpty {
            findings.append(
                Finding(.good, "feature.free-space-tree", subject, "its features are up to date"))
        }
        return findings
    }

    /// Whether what running qubes free inside can come back at all.
    static func discards(_ loops: [LoopDevice], _ subject: String) -> [Finding] {
        let known = loops.filter { $0.passesDiscards != nil }
        let refusing = known.filter { $0.passesDiscards == false }
        if known.isEmpty { return [] }
        guard let first = refusing.first else {
            return [
                Finding(
                    .good, "loop.discard", subject, "what running qubes free can come back")
            ]
        }
        return [
            Finding(
                .warning, "loop.discard", subject,
                "\(refusing.count) of \(known.count) loop devices of running qubes take no discards"
                    + " (discard_max_bytes of \(first.name) is 0)",
                reason: "What is deleted in these qubes stays on disk, and no trim changes that."
                    + " Zeroes that were written over their free space do, by this:",
                command: "qvm-btrfs sparsify")
        ]
    }

    /// - Parameters:
    ///   - written: what running qubes have written past the page cache; nil where nothing goes
    ///     that way.
    ///   - isCompressing: the mount has new data compressed.
    static func loops(
        _ loops: [LoopDevice], written: WrittenDirectly?, isCompressing: Bool, _ subject: String
    ) -> [Finding] {
        let direct = loops.filter(\.isDirect)
        guard let first = direct.first, let written else {
            return [
                Finding(
                    .good, "loop.direct", subject, "what running qubes write can be compressed")
            ]
        }
        if written.packedBytes > .zero {
            return [
                Finding(
                    .good, "loop.direct", subject,
                    "of what running qubes have written past the page cache \(written.text) is"
                        + " compressed, by the kernel or by a job")
            ]
        }
        let isSeen = isCompressing && written.isTelling
        return [
            Finding(
                isSeen ? .warning : .note, "loop.direct", subject,
                "\(direct.count) of \(loops.count) loop devices write past the page cache"
                    + (isSeen ? ": \(written.text) of what qubes wrote so is compressed" : ""),
                reason: "Before Linux \(bufferedDirectWrites), but for the latest releases of"
                    + " earlier ones, nothing that is written so is ever compressed.",
                command: "losetup --direct-io=off /dev/\(first.name)  # for each, or update"
                    + " qubes-utils and restart the qubes")
        ]
    }
}
