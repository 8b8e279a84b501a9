// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What extents with the same users take together.
struct ExtentTally {
    var storage = StorageTable()
    var unreachable = ByteCount.zero
    var extents = 0
    /// What refers to them, counted per reference.
    var references = ByteCount.zero

    mutating func add(_ extent: SealedExtent) {
        var entry = storage[extent.kind]
        entry.disk += extent.disk
        entry.content += extent.content
        storage[extent.kind] = entry
        unreachable += extent.unreachable
        references += extent.references
        extents += 1
    }
}

/// An extent with all its references seen.
struct SealedExtent {
    var kind: StorageKind
    var disk: ByteCount
    var content: ByteCount
    var unreachable: ByteCount
    var references: ByteCount
}

/// Adds up extents by who uses them, and gives each set of files what is its own.
///
/// Extents with the same users are added up first, so that the sets are gone through once for each
/// different list of users and not once for each extent. The number of lists that are held is
/// bounded: beyond it they are given out and begun anew.
struct Ledger {
    /// The most different lists of users that are held at a time.
    static let lists = 1 << 15
    /// The most users in all the lists that are held: 4 bytes each.
    static let listedUsers = 1 << 21

    private let files: [AccountFile]
    private let hasOutsideName: [Bool]
    /// By level and volume: the set; negative for none.
    private let levels: [[Int]]
    private(set) var sets: [[SpaceFigures]]
    private(set) var ofFiles: [SpaceFigures]
    private(set) var outside = SpaceFigures()
    private(set) var held: HeldSpace
    private(set) var everything = SpaceFigures()

    /// Extents of one user, by user.
    private var single: [ExtentTally]
    private var indices: [[Int32]: Int] = [:]
    private var tallies: [ExtentTally] = []
    private var users: [[Int32]] = []
    private var userCount = 0
    /// When each set of a level was last seen.
    private var stamps: [[Int]]
    private var stamp = 0

    /// - Parameter holders: how many users there are behind the files, see `Holders`.
    init(
        files: [AccountFile], holders: Int = 0, hasOutsideName: [Bool], levels: [[Int]]
    ) {
        self.files = files
        held = HeldSpace(holders: holders, levels: levels)
        self.hasOutsideName = hasOutsideName
        self.levels = levels
        let counts = levels.map { ($0.max() ?? -1) + 1 }
        sets = counts.map { [SpaceFigures](repeating: SpaceFigures(), count: $0) }
        stamps = counts.map { [Int](repeating: 0, count: $0) }
        ofFiles = [SpaceFigures](repeating: SpaceFigures(), count: files.count)
        single = [ExtentTally](repeating: ExtentTally(), count: files.count + 1 + holders)
    }

    /// An extent and its users, each once, in order: 0 stands for whoever is none of the files,
    /// every other number for the file before it, or behind them for a holder.
    mutating func add(_ extent: SealedExtent, users list: [Int32]) {
        if list.count == 1 {
            single[Int(list[0])].add(extent)
            return
        }
        if let index = indices[list] {
            tallies[index].add(extent)
            return
        }
        if tallies.count >= Self.lists || userCount + list.count > Self.listedUsers { giveOut() }
        var tally = ExtentTally()
        tally.add(extent)
        indices[list] = tallies.count
        tallies.append(tally)
        users.append(list)
        userCount += list.count
    }

    /// What a file itself holds: its size, what refers to extents, and its inline extents.
    mutating func add(_ own: SpaceFigures, of user: Int) {
        everything += own
        guard isFile(user) else {
            var own = own
            own.exclusive = own.storage.inline.disk
            own.exclusiveData = own.storage.inline.data
            outside += own
            return
        }
        let file = files[user - 1]
        forEachLevel([Int32(user)]) { ledger, level, found, isClosed, _ in
            for set in found { ledger.sets[level][set] += own }
            guard isClosed, found.count == 1 else { return }
            ledger.sets[level][found[0]].exclusive += own.storage.inline.disk
            ledger.sets[level][found[0]].exclusiveData += own.storage.inline.data
            if file.isRevision {
                ledger.sets[level][found[0]].revisions += own.storage.inline.disk
            }
        }
        ofFiles[user - 1] += own
        ofFiles[user - 1].exclusive += own.storage.inline.disk
        ofFiles[user - 1].exclusiveData += own.storage.inline.data
    }

    /// Gives each set its part of all that was added up.
    mutating func giveOut() {
        for user in single.indices where single[user].extents > 0 {
            give(single[user], to: [Int32(user)])
            single[user] = ExtentTally()
        }
        for (tally, list) in zip(tallies, users) { give(tally, to: list) }
        indices.removeAll(keepingCapacity: true)
        tallies.removeAll(keepingCapacity: true)
        users.removeAll(keepingCapacity: true)
        userCount = 0
    }

    private mutating func give(_ tally: ExtentTally, to list: [Int32]) {
        Self.add(tally, to: &everything)
        let allRevisions = list.allSatisfy { isFile(Int($0)) && files[Int($0) - 1].isRevision }
        let disk = tally.storage.sum(\.disk)
        forEachLevel(list) { ledger, level, found, isClosed, isHeld in
            for set in found { Self.add(tally, to: &ledger.sets[level][set]) }
            if isHeld, found.count == 1 { ledger.held.sets[level][found[0]] += disk }
            guard isClosed, found.count == 1 else { return }
            ledger.sets[level][found[0]].exclusive += disk
            ledger.sets[level][found[0]].exclusiveData += tally.references
            if allRevisions { ledger.sets[level][found[0]].revisions += disk }
        }
        // The files come before the holders, and 0 before both.
        let others = list.filter { !isFile(Int($0)) }
        if !others.isEmpty { Self.add(tally, to: &outside) }
        if others.count == list.count {
            outside.exclusive += disk
            outside.exclusiveData += tally.references
        }
        let holders = others.filter { $0 > 0 }.map { Int($0) - 1 - files.count }
        held.add(disk, holders: holders, areAlone: holders.count == list.count)
        for user in list where isFile(Int(user)) {
            Self.add(tally, to: &ofFiles[Int(user) - 1])
            if list.count > 1 { continue }
            ofFiles[Int(user) - 1].exclusive += disk
            ofFiles[Int(user) - 1].exclusiveData += tally.references
        }
    }

    /// It is a file, and neither a holder nor whoever is none of both.
    private func isFile(_ user: Int) -> Bool { user > 0 && user <= files.count }

    private static func add(_ tally: ExtentTally, to figures: inout SpaceFigures) {
        figures.storage += tally.storage
        figures.unreachable += tally.unreachable
        figures.extents += tally.extents
    }

    /// For each level, the sets that any of these users belongs to; whether none of the users
    /// stays when they go; and whether it is holders alone that stay.
    private mutating func forEachLevel(
        _ list: [Int32], _ body: (inout Ledger, Int, [Int], Bool, Bool) -> Void
    ) {
        let hasHolder = list.last.map { Int($0) > files.count } ?? false
        for level in levels.indices {
            stamp += 1
            var found: [Int] = []
            // But for holders.
            var isClosed = true
            for user in list {
                guard user > 0 else {
                    isClosed = false
                    continue
                }
                guard isFile(Int(user)) else { continue }
                if hasOutsideName[Int(user) - 1] { isClosed = false }
                for owner in files[Int(user) - 1].owners {
                    let set = levels[level][owner]
                    if set < 0 {
                        isClosed = false
                    } else if stamps[level][set] != stamp {
                        stamps[level][set] = stamp
                        found.append(set)
                    }
                }
            }
            body(&self, level, found, isClosed && !hasHolder, isClosed && hasHolder)
        }
    }
}
