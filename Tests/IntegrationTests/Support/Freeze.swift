// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// A file system that is frozen while this lives, or until it is thawed.
final class Freeze {
    private let path: String
    private var isOver = false

    init(_ fileSystem: LoopFileSystem) throws {
        path = fileSystem.path
        try Command.check("fsfreeze", "--freeze", path)
    }

    func thaw() throws {
        if isOver { return }
        try Command.check("fsfreeze", "--unfreeze", path)
        isOver = true
    }

    deinit { try? thaw() }
}
