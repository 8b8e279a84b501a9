// SPDX-License-Identifier: GPL-2.0-or-later
public import SystemPackage

/// A mount, as `/proc/self/mountinfo` describes it (`proc_pid_mountinfo(5)`).
public struct Mount: Equatable, Sendable {
    /// The kernel's number for it.
    public let identifier: Int
    /// The kernel's number for the file system, the same for all of its mounts: `0:45`.
    public let device: String
    /// Where it is mounted.
    public let point: String
    /// The kind of file system, as `btrfs`.
    public let kind: String
    /// The options of the mount and of the file system, in that order: `rw`, `compress=zstd:3`.
    public let options: [String]

    /// Those of the file system alone, which are the same for all of its mounts.
    public let fileSystemOptions: [String]

    /// The longest table that is read, in bytes.
    static let tableBytes = 4 * 1024 * 1024

    /// Reads a line; nil when it is none.
    public init?(line: some StringProtocol) {
        let fields = line.split(separator: " ")
        guard fields.count >= 10, let identifier = Int(fields[0]),
            let dash = fields[6...].firstIndex(of: "-"), dash + 3 < fields.count
        else { return nil }
        self.identifier = identifier
        device = String(fields[2])
        point = String(fields[4])
        fileSystemOptions = fields[dash + 3].split(separator: ",").map { String($0) }
        kind = String(fields[dash + 1])
        var options: [String] = []
        for option in fields[5].split(separator: ",") + fields[dash + 3].split(separator: ",")
        where !options.contains(String(option)) {
            options.append(String(option))
        }
        self.options = options
    }

    /// Where it is mounted, as a path: the table has blanks, line ends and backslashes as `\040`.
    public var path: FilePath {
        var bytes: [UInt8] = []
        var left = point.utf8[...]
        while let byte = left.popFirst() {
            let digits = left.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3,
                let code = UInt8(String(Substring(digits)), radix: 8)
            {
                bytes.append(code)
                left = left.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return FilePath(String(decoding: bytes, as: UTF8.self))
    }
}

extension Mount {
    /// Those that this process sees, in the kernel's order; none where it does not say.
    public static var all: [Mount] {
        let text = (try? Descriptor.text("/proc/self/mountinfo")) ?? ""
        let lines: [Substring] = text.split(separator: "\n")
        return lines.compactMap { Mount(line: $0) }
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

    fileprivate static func text(_ path: String) throws(Errno) -> String {
        let file = try Descriptor.open(FilePath(path), .readOnly)
        let bytes = try file.readToEnd(limitBytes: Mount.tableBytes) ?? []
        return String(decoding: bytes, as: UTF8.self)
    }
}
