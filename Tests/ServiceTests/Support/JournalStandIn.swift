// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import SystemCalls
import SystemPackage
import Testing

/// A datagram socket as journald has one.
final class JournalStandIn {
    private let socket: Descriptor
    let path = FilePath("/tmp/qubes-btrfs-journal-\(UInt64.random(in: 0...UInt64.max))")

    init() throws {
        let number = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        socket = Descriptor(owning: number)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: path.string.utf8)
        }
        let status = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(status == 0)
    }

    deinit { unsafe unlink(path.string) }

    func next() throws -> String {
        String(decoding: try socket.read(maximumBytes: 64 * 1024), as: UTF8.self)
    }
}
