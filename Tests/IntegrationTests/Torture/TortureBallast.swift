// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc

/// What fills a file system up until it is taken away again.
final class TortureBallast {
    /// Names of links that stand in the trees themselves.
    private static let linksAtMost = 100_000
    private static let linkBytes = 3500

    private let disk: TortureDisk
    private let folder: String
    private var data: String { folder + "/data" }
    private var links: String { folder + "/links" }

    init(on disk: TortureDisk) throws {
        self.disk = disk
        folder = disk.path + "/ballast"
        try FileManager.default.createDirectory(atPath: links, withIntermediateDirectories: true)
    }

    /// Takes all room that data has, but for so much. It is set aside and never written, so that
    /// nothing is on a device.
    /// - Returns: what it has taken.
    @discardableResult
    func fillData(leavingBytes left: Int) throws -> Int {
        let spare = folder + "/spare"
        if left > 0 { _ = try Self.reserve(spare, inPiecesFrom: left) }
        let taken = try Self.reserve(data, inPiecesFrom: 1 << 30)
        if left > 0 {
            try FileManager.default.removeItem(atPath: spare)
            try disk.synchronize()
        }
        return taken
    }

    /// Makes a file longer until nothing more is given, in pieces that become smaller.
    private static func reserve(_ path: String, inPiecesFrom first: Int) throws -> Int {
        let isOnce = first < 1 << 30
        let file = try TortureFile(path, O_RDWR | O_CREAT)
        var offset = 0
        var piece = first
        while piece >= TortureFile.alignmentBytes {
            let answer = posix_fallocate(file.descriptor, offset, piece)
            if answer == 0 {
                offset += piece
                if isOnce { break }
            } else if answer == ENOSPC {
                piece /= 2
            } else {
                throw TortureFile.Refused(call: "fallocate", path: path, number: answer)
            }
        }
        return offset
    }

    /// Takes all room that the trees have, once data has the rest.
    /// - Returns: in how many links.
    @discardableResult
    func fillTrees() throws -> Int {
        let target = String(repeating: "x", count: Self.linkBytes)
        for number in 0..<Self.linksAtMost
        where unsafe symlink(target, "\(links)/\(number)") != 0 {
            guard errno == ENOSPC else {
                throw TortureFile.Refused(call: "symlink", path: links, number: errno)
            }
            return number
        }
        return Self.linksAtMost
    }

    /// Gives all of it back.
    func remove() throws {
        // First what gives much back, and needs little for it.
        try? FileManager.default.removeItem(atPath: data)
        try Command.check("rm", "--recursive", "--force", folder)
        try disk.synchronize()
        // A thread of the kernel gives empty block groups back in its own time; until then trees
        // have no more than while the ballast was there.
        for _ in 0..<Self.looks where try !disk.mayGiveTreesMore() {
            try disk.synchronize()
            usleep(Self.pauseMicroseconds)
        }
    }

    private static let looks = 300
    private static let pauseMicroseconds: UInt32 = 100_000
}
