// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// What qubesd's driver for files does, call by call.
extension TortureDriver {
    private static let revisionsToKeep = 2

    // MARK: Names

    static func folder(_ qube: Int) -> String {
        "\(pools[qube == qubes - 1 ? 1 : 0])/appvms/q\(qube)"
    }

    static func template(_ number: Int) -> String {
        "\(pools[0])/vm-templates/t\(number)/root.img"
    }

    static func image(_ qube: Int) -> String { folder(qube) + "/private.img" }
    static func dirty(_ qube: Int) -> String { folder(qube) + "/private-dirty.img" }
    private static func precache(_ qube: Int) -> String { folder(qube) + "/private-precache.img" }
    private static func importing(_ qube: Int) -> String { folder(qube) + "/private-import.img" }

    // MARK: One operation

    /// One operation of the driver by chance, counted and timed.
    func drive() throws {
        let qube = writer.random.number(0..<Self.qubes)
        switch writer.random.number(0..<24) {
        case 0...9: try isRunning(qube) ? act(qube, stop) : act(qube, start)
        case 10...11: try act(qube, revert)
        case 12...14: try act(qube, resize)
        case 15...16: try act(qube, adopt)
        case 17: try act(qube, install)
        case 18: try act(qube, replace)
        case 19...20: try act(qube, abandon)
        default: try root(writer.random.number(0..<Self.templates))
        }
    }

    /// What it gives back says whether it was to be done at all: much is refused while a qube runs.
    private func act(_ qube: Int, _ operation: (Int) throws -> Bool) throws {
        let beside = TortureTimes.Beside(isJob: isBesideJob(), isRunning: isRunning(qube))
        let before = reflink.elapsed
        if try operation(qube) { times.add(reflink.elapsed - before, beside) }
    }

    func isRunning(_ qube: Int) -> Bool { model.files[Self.dirty(qube)] != nil }

    func create(_ qube: Int) throws {
        try writer.make(Self.image(qube), pieces: 8, isNoCow: writer.random.chance(10))
        try reflink.copy(Self.image(qube), to: Self.precache(qube))
    }

    private func start(_ qube: Int) throws -> Bool {
        try clear(qube)
        if model.files[Self.precache(qube)] != nil {
            try reflink.rename(Self.precache(qube), to: Self.dirty(qube))
        } else {
            try reflink.copy(Self.image(qube), to: Self.dirty(qube))
        }
        return true
    }

    /// What an earlier end of qubesd has left goes.
    private func clear(_ qube: Int) throws {
        for name in model.names(startingWith: Self.folder(qube) + "/private")
        where name.contains("~") || name == Self.importing(qube) {
            try reflink.remove(name)
        }
    }

    private func stop(_ qube: Int) throws -> Bool {
        try commit(Self.dirty(qube), qube)
        return true
    }

    /// A file becomes a volume's clean image, and what it was before a revision.
    private func commit(_ name: String, _ qube: Int) throws {
        try revise(qube)
        try reflink.synchronize(name)
        try reflink.rename(name, to: Self.image(qube))
        try renewPrecache(qube)
    }

    private func renewPrecache(_ qube: Int) throws {
        try reflink.remove(Self.precache(qube))
        try reflink.copy(Self.image(qube), to: Self.precache(qube))
    }

    /// The clean image becomes a revision as well, and the oldest go.
    private func revise(_ qube: Int) throws {
        revisions += 1
        let minute = String(format: "%02d:%02d", revisions / 60 % 60, revisions % 60)
        try reflink.copy(
            Self.image(qube), to: Self.image(qube) + ".\(revisions)@2026-01-02T03:\(minute)Z")
        let old = ofImage(qube)
        for name in old.dropLast(Self.revisionsToKeep) { try reflink.remove(name) }
    }

    private func ofImage(_ qube: Int) -> [String] {
        func number(_ name: String) -> Int {
            Int(name.dropFirst(Self.image(qube).count + 1).prefix { $0 != "@" }) ?? 0
        }
        return model.names(startingWith: Self.image(qube) + ".").sorted { number($0) < number($1) }
    }

    private func revert(_ qube: Int) throws -> Bool {
        guard !isRunning(qube), let newest = ofImage(qube).last else { return false }
        try revise(qube)
        try reflink.rename(newest, to: Self.image(qube))
        try renewPrecache(qube)
        return true
    }

    private func resize(_ qube: Int) throws -> Bool {
        let name = isRunning(qube) ? Self.dirty(qube) : Self.image(qube)
        let bytes = model.files[name]?.content.count ?? 0
        guard bytes < TortureWriter.longestFileBytes else { return false }
        let longer = writer.random.number(bytes + 1..<TortureWriter.longestFileBytes + 1)
        if isRunning(qube) {
            try reflink.grow(name, toBytes: longer)
            return true
        }
        let temporary = name + TortureReflink.unfinished
        try reflink.begin(copyOf: name, to: temporary)
        try reflink.grow(temporary, toBytes: longer)
        try reflink.rename(temporary, to: name)
        return true
    }

    /// Another qube's image becomes this one's, as when a qube is cloned.
    private func adopt(_ qube: Int) throws -> Bool {
        guard !isRunning(qube) else { return false }
        try reflink.copy(Self.image((qube + 1) % Self.qubes), to: Self.importing(qube))
        try commit(Self.importing(qube), qube)
        return true
    }

    /// A restored backup: a new file in a few pieces, then a rename.
    private func install(_ qube: Int) throws -> Bool {
        guard !isRunning(qube) else { return false }
        try reflink.createSparse(Self.importing(qube), bytes: TortureWriter.longestFileBytes)
        let pieces = (0..<6).map { _ in writer.piece(1 + writer.random.number(0..<1 << 20)) }
        try reflink.fill(Self.importing(qube), with: pieces)
        try commit(Self.importing(qube), qube)
        return true
    }

    /// A qube is removed, from its oldest image to its newest, and one of that name created.
    private func replace(_ qube: Int) throws -> Bool {
        guard !isRunning(qube) else { return false }
        try clear(qube)
        for name in ofImage(qube) { try reflink.remove(name) }
        for name in [Self.precache(qube), Self.image(qube)] { try reflink.remove(name) }
        try create(qube)
        return true
    }

    /// qubesd is ended in the middle of an import or of a copy: what it leaves goes with the next
    /// start.
    private func abandon(_ qube: Int) throws -> Bool {
        guard !isRunning(qube) else { return false }
        try clear(qube)
        if writer.random.chance(50) {
            try reflink.createSparse(Self.importing(qube), bytes: 4 << 20)
            try reflink.fill(Self.importing(qube), with: [writer.piece(1 << 20)])
        } else {
            try reflink.begin(copyOf: Self.image(qube), to: Self.precache(qube) + "~left")
        }
        return true
    }

    /// The root of a qube is another name of its template's while it runs; a template changes by a
    /// rename.
    private func root(_ template: Int) throws {
        let folder = Self.folder(0)
        let names = (clean: folder + "/root.img", dirty: folder + "/root-dirty.img")
        let isRunning = model.files[names.clean] != nil
        let beside = TortureTimes.Beside(isJob: isBesideJob(), isRunning: isRunning)
        let before = reflink.elapsed
        if isRunning {
            try reflink.remove(names.clean)
            try reflink.remove(names.dirty)
        } else if model.subvolume(of: names.clean) == "" {
            try reflink.link(Self.template(template), to: names.clean)
            try reflink.copy(Self.template(template), to: names.dirty)
        } else {
            let temporary = Self.template(template) + TortureReflink.unfinished
            try reflink.begin(copyOf: Self.template(template), to: temporary)
            try writer.change(temporary)
            try reflink.rename(temporary, to: Self.template(template))
        }
        times.add(reflink.elapsed - before, beside)
    }
}
