// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
internal import SystemCalls
internal import SystemPackage

/// A device of a file system.
public struct Device: Equatable, Sendable {
    /// Its number in the file system, which commands take for its name.
    public let identifier: UInt64
    /// Where it is, as `/dev/sda2`; empty where the kernel knows no place.
    public let path: String
    /// Its size.
    public let totalBytes: ByteCount
    /// What chunks take of it.
    public let usedBytes: ByteCount
    /// It was not there when the file system was mounted (mount option `degraded`).
    public let isMissing: Bool
}

extension FileSystem {
    /// The most numbers of devices that are asked for: they have gaps where one was removed.
    static let deviceLimit: UInt64 = 1024

    /// Its devices (BTRFS_IOC_DEV_INFO), and which of them are missing (`devinfo/ID/missing` in
    /// `/sys/fs/btrfs`; a missing device has no path either).
    public func devices() throws(BtrfsError) -> [Device] {
        var devices: [Device] = []
        var identifier: UInt64 = 0
        while devices.count < deviceCount && identifier <= Self.deviceLimit {
            var arguments = btrfs_ioctl_dev_info_args()
            arguments.devid = identifier
            if unsafe ioctl(root.rawValue, cbtrfs_DEV_INFO, &arguments) == 0 {
                let path = unsafe withUnsafeBytes(of: &arguments.path) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                devices.append(
                    Device(
                        identifier: identifier, path: path,
                        totalBytes: ByteCount(arguments.total_bytes),
                        usedBytes: ByteCount(arguments.bytes_used),
                        isMissing: path.isEmpty || saysMissing(identifier)))
            } else if errno != ENODEV {
                throw BtrfsError("DEV_INFO", "device \(identifier)", Errno(rawValue: errno))
            }
            identifier += 1
        }
        return devices
    }

    private func saysMissing(_ identifier: UInt64) -> Bool {
        let path = FilePath("/sys/fs/btrfs/\(identity.text)/devinfo/\(identifier)/missing")
        guard let file = try? Descriptor.open(path, .readOnly) else { return false }
        return (try? file.read(maximumBytes: 1)) == [UInt8(ascii: "1")]
    }
}

extension FileSystem.Identity {
    /// As commands and `/sys` have it: `01234567-89ab-...`.
    public var text: String {
        let digits = Array("0123456789abcdef")
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }
}
