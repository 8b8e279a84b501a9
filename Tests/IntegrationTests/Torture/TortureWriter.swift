// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc

/// Running qubes: they write to their images in every way there is, and the model is told.
final class TortureWriter {
    static let longestFileBytes = 8 << 20
    private static let longestPieceBytes = 1 << 20
    private static let alignment = TortureFile.alignmentBytes
    /// What pieces are cut from: equal content at all kinds of places is common.
    private static let text = Content.text(mebibytes: 6, seed: 11)
    private static let noise = Content.random(mebibytes: 3, seed: 12)

    let model: TortureModel
    var random: TortureRandom
    /// What was done since somebody last asked.
    private(set) var log: [String] = []
    /// What others than qubesd's driver have done.
    private(set) var count = 0

    init(_ model: TortureModel, _ random: TortureRandom) {
        self.model = model
        self.random = random
    }

    func begin(_ random: TortureRandom) {
        self.random = random
        log = []
    }

    func note(_ text: String) { log.append(text) }

    /// The same, and one operation more.
    func did(_ text: String) {
        count += 1
        note(text)
    }

    // MARK: Content

    func piece(_ bytes: Int) -> Data {
        var data: Data
        switch random.number(0..<10) {
        case 0: data = Data(count: bytes)
        case 1: data = Data(repeating: UInt8(random.number(1..<256)), count: bytes)
        case 2...3: data = cut(Self.noise, bytes)
        default: data = cut(Self.text, bytes)
        }
        if random.chance(40), bytes >= 8 {
            unsafe withUnsafeBytes(of: random.next()) {
                unsafe data.replaceSubrange(0..<8, with: $0)
            }
        }
        return data
    }

    private func cut(_ source: Data, _ bytes: Int) -> Data {
        let last = source.count - bytes
        let start = random.number(0..<(last + 1))
        let aligned = random.chance(70) ? start / Self.alignment * Self.alignment : start
        return Data(source[aligned..<(aligned + bytes)])
    }

    /// A place in a file, and a length.
    private func range(within bytes: Int) -> Range<Int> {
        var start = random.number(0..<max(1, bytes))
        let longest = random.pick([Self.alignment, 1 << 16, Self.longestPieceBytes])
        var length = 1 + random.number(0..<longest)
        if random.chance(75) {
            start = start / Self.alignment * Self.alignment
            length = (length + Self.alignment - 1) / Self.alignment * Self.alignment
        }
        return start..<min(start + length, Self.longestFileBytes)
    }

    // MARK: A file

    /// Makes a file anew, with a few pieces.
    func make(_ name: String, pieces: Int, isNoCow: Bool = false) throws {
        try FileManager.default.createDirectory(
            atPath: (model.path(name) as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true)
        do {
            let file = try TortureFile(model.path(name), O_RDWR | O_CREAT | O_EXCL)
            if isNoCow { try file.setNoCow() }
        }
        try model.add(name, Data(), isNoCow: isNoCow)
        if random.chance(15) {
            // So small that it stands in the tree itself.
            try put(Data(piece(1 + random.number(0..<2000))), at: 0, into: name, .buffered)
            return
        }
        for _ in 0..<pieces { try change(name) }
    }

    private func put(
        _ data: Data, at offset: Int, into name: String, _ way: TortureFile.Way
    ) throws {
        guard let node = model.files[name], !data.isEmpty else { return }
        let file = try TortureFile(model.path(name))
        switch way {
        case .buffered: try file.write(data, at: offset)
        case .direct: try file.writeDirectly(data, at: offset)
        // What serves the device is this process: it must not wait for itself with its memory
        // locked.
        case .mapped where model.disk.recorder != nil: try file.write(data, at: offset)
        case .mapped: try file.writeMapped(data, at: offset)
        }
        replace(node, offset..<(offset + data.count), with: data)
        if random.chance(30) { try file.synchronize() }
        try model.note(name)
        did("\(way) write of \(data.count) at \(offset) in \(name)")
    }

    private func replace(_ node: TortureModel.Node, _ range: Range<Int>, with data: Data) {
        if node.content.count < range.upperBound {
            node.content.append(Data(count: range.upperBound - node.content.count))
        }
        node.content.replaceSubrange(range, with: data)
    }

    /// One change of a file, as a running qube makes it.
    func change(_ name: String) throws {
        guard let node = model.files[name] else { return }
        let bytes = node.content.count
        switch random.number(0..<20) {
        case 0: try allocate(name, node)
        case 1...2: try allocate(name, node, .punch)
        case 3: try allocate(name, node, .zero)
        case 4 where bytes > 0: try resize(name, node)
        case 5...6: try cloneRange(to: name, node)
        case 7 where !node.isNoCow: try compression(of: name)
        case 8...9 where bytes > Self.alignment: try writeMapped(name, bytes)
        case 10...11:
            var place = range(within: Self.longestFileBytes)
            place = place.lowerBound / Self.alignment * Self.alignment..<place.upperBound
            let length = max(1, place.count / Self.alignment) * Self.alignment
            try put(piece(length), at: place.lowerBound, into: name, .direct)
        default:
            let place = range(within: Self.longestFileBytes)
            try put(piece(place.count), at: place.lowerBound, into: name, .buffered)
        }
    }

    private func writeMapped(_ name: String, _ bytes: Int) throws {
        let place = range(within: bytes).clamped(to: 0..<bytes)
        try put(piece(place.count), at: place.lowerBound, into: name, .mapped)
    }

    private func allocate(
        _ name: String, _ node: TortureModel.Node, _ chosen: TortureFile.Room? = nil
    ) throws {
        var room = chosen ?? random.pick([.reserve, .reserveBehindEnd])
        var place = range(within: Self.longestFileBytes)
        let bytes = node.content.count
        if model.disk.kind.losesWhatIsReserved {
            if room == .reserveBehindEnd { room = .reserve }
            if room == .zero { place = place.clamped(to: 0..<bytes) }
            guard !place.isEmpty else { return }
        }
        let file = try TortureFile(model.path(name))
        try file.allocate(room, place)
        switch room {
        case .reserve where place.upperBound > bytes:
            node.content.append(Data(count: place.upperBound - bytes))
        case .punch, .zero:
            let inside = place.clamped(to: 0..<bytes)
            node.content.replaceSubrange(inside, with: Data(count: inside.count))
        default: break
        }
        try model.note(name)
        did("\(room) of \(place) in \(name)")
    }

    func resize(_ name: String, _ node: TortureModel.Node) throws {
        let bytes = random.number(node.content.count / 2..<Self.longestFileBytes)
        let file = try TortureFile(model.path(name))
        try file.truncate(bytes)
        if bytes < node.content.count {
            node.content = Data(node.content.prefix(bytes))
        } else {
            node.content.append(Data(count: bytes - node.content.count))
        }
        try model.note(name)
        did("truncate \(name) to \(bytes)")
    }

    private func compression(of name: String) throws {
        let kind = random.pick(["zlib", "lzo", "zstd", ""])
        let file = try TortureFile(model.path(name))
        // What is written until now is not to be packed by the new kind alone.
        if random.chance(50) { try file.synchronize() }
        try file.setCompression(kind)
        try model.note(name)
        did("compression of \(name): \(kind)")
    }

    /// A part of another file comes to stand in this one.
    private func cloneRange(to name: String, _ node: TortureModel.Node) throws {
        let sources = model.files.keys.sorted().filter { other in
            guard let source = model.files[other] else { return false }
            return source !== node && source.isNoCow == node.isNoCow
                && source.content.count >= Self.alignment
        }
        guard !sources.isEmpty else { return }
        let source = random.pick(sources)
        guard let content = model.files[source]?.content else { return }
        let blocks = content.count / Self.alignment
        let first = random.number(0..<blocks)
        let length = 1 + random.number(0..<min(blocks - first, 256))
        let from = first * Self.alignment..<(first + length) * Self.alignment
        let last = (Self.longestFileBytes - from.count) / Self.alignment
        let offset = random.number(0..<(last + 1)) * Self.alignment
        let target = try TortureFile(model.path(name))
        try target.clone(from, of: try TortureFile(model.path(source), O_RDONLY), to: offset)
        replace(node, offset..<(offset + from.count), with: Data(content[from]))
        try model.note(name)
        did("clone \(from) of \(source) to \(offset) in \(name)")
    }

    /// A whole clone under a new name, as `cp --reflink` makes it.
    func clone(_ name: String, to other: String) throws {
        guard let node = model.files[name] else { return }
        do {
            try FileManager.default.createDirectory(
                atPath: (model.path(other) as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true)
            let copy = try TortureFile(model.path(other), O_RDWR | O_CREAT | O_EXCL)
            if node.isNoCow { try copy.setNoCow() }
            try copy.clone(try TortureFile(model.path(name), O_RDONLY))
        }
        try model.add(other, node.content, isNoCow: node.isNoCow)
        did("clone \(name) to \(other)")
    }

    /// A file all of which has its place on the device, so that writing to it anew takes none.
    func makeWitness(_ name: String, bytes: Int) throws {
        let content = piece(bytes)
        do {
            let file = try TortureFile(model.path(name), O_RDWR | O_CREAT | O_EXCL)
            try file.setNoCow()
            try file.write(content, at: 0)
            try file.synchronize()
        }
        try model.add(name, content, isNoCow: true)
        did("reserved \(name)")
    }

    /// Writes a block of such a file.
    func overwrite(_ name: String, _ offset: Int) throws {
        let way = random.pick([TortureFile.Way.buffered, .direct])
        try put(piece(Self.alignment), at: offset, into: name, way)
    }

    func remove(_ name: String) throws {
        guard unsafe unlink(model.path(name)) == 0 else {
            throw TortureFile.Refused(call: "unlink", path: name, number: errno)
        }
        try model.remove(name)
        did("remove \(name)")
    }

    /// Reads a part of any file, which must be what it should be, in the middle of a job.
    func look() throws {
        let name = random.pick(model.files.keys.sorted())
        guard let bytes = model.files[name]?.content.count, bytes > 0 else { return }
        let place = range(within: bytes).clamped(to: 0..<bytes)
        did("look at \(place) of \(name)")
        try model.compare(name, place)
    }
}
