// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls
internal import SystemPackage

/// How long others have waited for the disk.
///
/// Two sources, as neither sees all. Programs of dom0: the kernel counts for each control group the
/// time in which one of its tasks was stalled on I/O (`io.pressure`, `some`). The groups beside our
/// own and beside those that hold us are the others, so that our own waiting is in no figure, and
/// a job that is alone is never slowed. Qubes: what they read and write goes through loop devices,
/// which threads of the kernel serve that are in no group; each device counts the time that
/// requests have waited in it.
struct Neighbours: Sendable {
    /// Where the unified hierarchy of control groups is mounted.
    let groups: FilePath
    /// Where block devices are.
    let blocks: FilePath
    /// Our own group's path below `groups`, as `/proc/self/cgroup` has it; nil where there is none.
    let ownGroup: String?
    /// The directories that the backing files of qubes' loop devices lie below.
    let imageFolders: Set<FileStatus.Identity>
    private let backings = Monitor<[String: Backing]>([:])

    /// What was found out about a loop device, as long as the same file is behind it.
    private struct Backing {
        let path: Substring
        let isImage: Bool
    }

    /// The most groups, and the most devices, that are looked at.
    static let limit = 512

    init(
        groups: FilePath = "/sys/fs/cgroup", blocks: FilePath = "/sys/block",
        ownGroups: FilePath = "/proc/self/cgroup", imageFolders: Set<FileStatus.Identity>
    ) {
        self.groups = groups
        self.blocks = blocks
        self.imageFolders = imageFolders
        ownGroup = SmallFile.text(ownGroups).flatMap(Self.unifiedGroup)
    }

    /// Seconds of waiting of all of them, ever growing; nil where the kernel counts none of it.
    func waitedSeconds() -> Double? {
        let groups = groupsWaitedSeconds()
        let devices = devicesWaitedSeconds()
        return groups == nil && devices == nil ? nil : (groups ?? 0) + (devices ?? 0)
    }

    // MARK: Control groups

    private func groupsWaitedSeconds() -> Double? {
        // Where the old hierarchies are mounted beside the unified one, this is a folder of all of
        // them, and the root of the unified one would be taken for a neighbour: it holds us.
        guard let ownGroup, SmallFile.text(groups.appending("cgroup.controllers")) != nil
        else { return nil }
        var sum: Double?
        var folder = groups
        var left = Self.limit
        // In the root itself, whoever is in any group is another.
        let path = ownGroup.split(separator: "/")
        for own in path.isEmpty ? [""] : path {
            for name in SmallFile.names(in: folder) where name != own && left > 0 {
                // Most names are not of groups but of a group's own files.
                let text = SmallFile.text(folder.appending(name).appending("io.pressure"))
                guard let seconds = text.flatMap(Self.someSeconds) else { continue }
                left -= 1
                sum = (sum ?? 0) + seconds
            }
            folder.append(String(own))
        }
        return sum
    }

    /// The path of the unified hierarchy, whose line begins with `0::`.
    static func unifiedGroup(_ text: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
    }

    /// The total of the line `some avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS`.
    static func someSeconds(_ text: String) -> Double? {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("some ") }),
            let total = line.split(separator: " ").first(where: { $0.hasPrefix("total=") })
        else { return nil }
        return UInt64(total.dropFirst("total=".count)).map { Double($0) / 1e6 }
    }

    // MARK: Loop devices

    private func devicesWaitedSeconds() -> Double? {
        var sum: Double?
        let loops = SmallFile.names(in: blocks).filter { $0.hasPrefix("loop") }
        for name in loops.prefix(Self.limit) {
            let device = blocks.appending(name)
            let text = SmallFile.text(device.appending("loop").appending("backing_file"))
            guard let path = text?.split(separator: "\n").first, isImage(path, behind: name)
            else { continue }
            let figures = SmallFile.text(device.appending("stat"))
            if let seconds = figures.flatMap(Self.requestSeconds) { sum = (sum ?? 0) + seconds }
        }
        return sum
    }

    /// Whether a file lies below the images' folders. Each look asks it of each device, and a walk
    /// up its path for each of a hundred devices took an eighth of a job's time.
    private func isImage(_ path: Substring, behind name: String) -> Bool {
        if let known = backings.withLock({ $0[name] }), known.path == path { return known.isImage }
        let device = LoopDevice(name: name, backingFile: FilePath(String(path)), isDirect: false)
        let isImage = device.isBelow(imageFolders)
        backings.withLock { $0[name] = Backing(path: path, isImage: isImage) }
        return isImage
    }

    /// The time in queue: the eleventh figure, in milliseconds (Documentation/block/stat.rst).
    static func requestSeconds(_ text: String) -> Double? {
        let figures = text.split(whereSeparator: \.isWhitespace)
        guard figures.count >= 11 else { return nil }
        return UInt64(figures[10]).map { Double($0) / 1000 }
    }
}

/// Small files that the kernel writes as they are read.
enum SmallFile {
    /// The longest that is taken, in bytes.
    static let limitBytes = 16 * 1024

    /// The text, or nil when it cannot be read.
    static func text(_ path: FilePath, limitBytes: Int = limitBytes) -> String? {
        guard let file = try? Descriptor.open(path, [.readOnly, .nonBlocking]),
            let bytes = try? file.readToEnd(limitBytes: limitBytes)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What is in a folder; nothing when it cannot be read.
    static func names(in folder: FilePath) -> [String] {
        (try? Descriptor.open(folder, [.readOnly, .directory]).entries()) ?? []
    }
}
