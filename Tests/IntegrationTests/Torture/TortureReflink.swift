// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc

/// The calls that qubesd's driver for files is made of, each with what it has the disk keep: a copy
/// is made under a name of its own, synchronized and renamed, and each change of a folder is
/// synchronized, too.
final class TortureReflink {
    /// What the driver's names of files that are not yet whole end with.
    static let unfinished = "~abcdefgh"

    private let writer: TortureWriter
    private var model: TortureModel { writer.model }
    /// What the kernel has taken for all of it; what the model takes is not in here.
    private(set) var elapsed = Duration.zero

    init(_ writer: TortureWriter) { self.writer = writer }

    private func timed(_ work: () throws -> Void) throws {
        let start = ContinuousClock.now
        try work()
        elapsed += ContinuousClock.now - start
    }

    private func synchronizeFolder(of name: String) throws {
        let folder = (model.path(name) as NSString).deletingLastPathComponent
        try TortureFile(folder, O_RDONLY | O_DIRECTORY).synchronize()
    }

    /// A clone that is whole when it has its name.
    func copy(_ name: String, to other: String) throws {
        let temporary = other + Self.unfinished
        try begin(copyOf: name, to: temporary)
        try rename(temporary, to: other)
    }

    /// A clone that does not yet have its name.
    func begin(copyOf name: String, to temporary: String) throws {
        guard let node = model.files[name] else { return }
        try timed {
            let copy = try TortureFile(model.path(temporary), O_RDWR | O_CREAT | O_EXCL)
            if node.isNoCow { try copy.setNoCow() }
            try copy.clone(try TortureFile(model.path(name), O_RDONLY))
            try copy.synchronize()
        }
        try model.add(temporary, node.content, isNoCow: node.isNoCow)
        writer.note("driver: clone \(name) to \(temporary)")
    }

    /// A file of holes, whole when it has its name.
    func createSparse(_ name: String, bytes: Int) throws {
        let temporary = name + Self.unfinished
        try timed {
            let file = try TortureFile(model.path(temporary), O_RDWR | O_CREAT | O_EXCL)
            try file.truncate(bytes)
            try file.synchronize()
        }
        try model.add(temporary, Data(count: bytes), isNoCow: false)
        try rename(temporary, to: name)
    }

    /// What dd(1) does for an import: a piece after the other, then all of it to the disk.
    func fill(_ name: String, with pieces: [Data]) throws {
        guard let node = model.files[name] else { return }
        let content = pieces.reduce(Data(), +)
        try timed {
            let file = try TortureFile(model.path(name))
            var offset = 0
            for piece in pieces {
                try file.write(piece, at: offset)
                offset += piece.count
            }
            try file.synchronize()
        }
        node.content = content + node.content.dropFirst(content.count)
        try model.note(name)
        writer.note("driver: \(content.count) bytes to \(name)")
    }

    func rename(_ name: String, to other: String) throws {
        try timed {
            guard unsafe Glibc.rename(model.path(name), model.path(other)) == 0 else {
                throw TortureFile.Refused(call: "rename to \(other)", path: name, number: errno)
            }
            try synchronizeFolder(of: other)
        }
        try model.rename(name, to: other)
        writer.note("driver: rename \(name) to \(other)")
    }

    /// Another name for a template's image.
    func link(_ name: String, to other: String) throws {
        try timed {
            guard unsafe Glibc.link(model.path(name), model.path(other)) == 0 else {
                throw TortureFile.Refused(call: "link to \(other)", path: name, number: errno)
            }
            try synchronizeFolder(of: other)
        }
        try model.link(name, to: other)
        writer.note("driver: link \(name) to \(other)")
    }

    /// Nothing where there is none of that name.
    func remove(_ name: String) throws {
        guard model.files[name] != nil else { return }
        try timed {
            guard unsafe unlink(model.path(name)) == 0 else {
                throw TortureFile.Refused(call: "unlink", path: name, number: errno)
            }
            try synchronizeFolder(of: name)
        }
        try model.remove(name)
        writer.note("driver: remove \(name)")
    }

    /// Makes a file longer.
    func grow(_ name: String, toBytes bytes: Int) throws {
        guard let node = model.files[name], bytes > node.content.count else { return }
        try timed {
            let file = try TortureFile(model.path(name))
            try file.truncate(bytes)
            try file.synchronize()
        }
        node.content.append(Data(count: bytes - node.content.count))
        try model.note(name)
        writer.note("driver: truncate \(name) to \(bytes)")
    }

    func synchronize(_ name: String) throws {
        try timed { try TortureFile(model.path(name), O_RDONLY).synchronize() }
    }
}
