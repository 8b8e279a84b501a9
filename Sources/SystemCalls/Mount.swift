// SPDX-License-Identifier: GPL-2.0-or-later
public import SystemPackage

/// A mount, as `/proc/self/mountinfo` describes it (`proc_pid_mountinfo(5)`).
public struct Mount: Equatable, Sendable {
    /// The kernel's number for it.
    public let identifier: Int
    /// Where it is mounted.
    public let point: String
    /// The kind of file system, as `btrfs`.
    public let kind: String
    /// The options of the mount and of the file system, in that order: `rw`, `compress=zstd:3`.
    public let options: [String]

    /// The longest table that is read, in bytes.
    static let tableBytes = 4 * 1024 * 1024

    /// Reads a line; nil when it is none.
    public init?(line: some StringProtocol) {
        let fields = line.split(separator: " ")
        guard fields.count >= 10, let identifier = Int(fields[0]),
            let dash = fields[6...].firstIndex(of: "-"), dash + 3 < fields.count
        else { return nil }
        self.identifier = identifier
        point = String(fields[4])
        kind = String(fields[dash + 1])
        var options: [String] = []
        for option in fields[5].split(separator: ",") + fields[dash + 3].split(separator: ",")
        where !options.contains(String(option)) {
            options.append(String(option))
        }
        self.options = options
    }
}

extension Descriptor {
    /// The mount that an open file was opened through; nil when the kernel does not say.
    public borrowing func mount() throws(Errno) -> Mount? {
        let info = try Self.text("/proc/self/fdinfo/\(rawValue)")
        let key = "mnt_id:"
        guard let line = info.split(separator: "\n").first(where: { $0.hasPrefix(key) }),
            let identifier = Int(line.dropFirst(key.count).filter(\.isNumber))
        else { return nil }
        return try Self.text("/proc/self/mountinfo").split(separator: "\n").lazy
            .compactMap { Mount(line: $0) }.first { $0.identifier == identifier }
    }

    private static func text(_ path: String) throws(Errno) -> String {
        let file = try Descriptor.open(FilePath(path), .readOnly)
        let bytes = try file.readToEnd(limitBytes: Mount.tableBytes) ?? []
        return String(decoding: bytes, as: UTF8.self)
    }
}
