// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A sector goes bad on the disk while its page may still be good in the cache.
struct BadSectorCase: CustomTestStringConvertible, Sendable {
    /// Which of three equal images have a bad sector.
    enum Bad: String, CaseIterable {
        case first, second
        /// At different places.
        case both
        /// At the same place: the third image alone has it whole.
        case allButThird
    }

    /// What the page cache holds when the job begins.
    enum Cache: String, CaseIterable {
        case cold, warm
        /// The first image alone.
        case half
    }

    /// How data lies on the devices.
    enum Profile: String, CaseIterable {
        case single, dup, raid1

        var copies: Int { self == .single ? 1 : 2 }
        var options: [String] { ["-m", self == .raid1 ? "raid1" : "dup", "-d", rawValue] }
    }

    var verb: Verb
    var bad: Bad
    var cache: Cache
    var profile = Profile.single
    /// Of how many copies of a sector all are bad.
    var badCopies = 1
    var isPacked = false

    var testDescription: String {
        "\(verb) \(bad) \(cache) \(profile) \(badCopies)\(isPacked ? " packed" : "")"
    }

    /// A part of the matrix that has every value of each, and the pairs that matter.
    static let short: [BadSectorCase] = {
        var cases: [BadSectorCase] = []
        for verb in Verb.allCases {
            for bad in Bad.allCases {
                cases.append(BadSectorCase(verb: verb, bad: bad, cache: .warm))
            }
            cases.append(BadSectorCase(verb: verb, bad: .first, cache: .half, isPacked: true))
            cases.append(BadSectorCase(verb: verb, bad: .allButThird, cache: .cold))
            cases.append(BadSectorCase(verb: verb, bad: .first, cache: .cold, profile: .dup))
            cases.append(
                BadSectorCase(
                    verb: verb, bad: .first, cache: .warm, profile: .raid1, badCopies: 2))
        }
        return cases
    }()

    static let all: [BadSectorCase] = Verb.allCases.flatMap { verb in
        Bad.allCases.flatMap { bad in
            Cache.allCases.flatMap { cache in
                Profile.allCases.flatMap { profile in
                    (1...profile.copies).flatMap { badCopies in
                        [false, true].map {
                            BadSectorCase(
                                verb: verb, bad: bad, cache: cache, profile: profile,
                                badCopies: badCopies, isPacked: $0)
                        }
                    }
                }
            }
        }
    }
}

@Suite("Bad sectors", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct BadSectorTests {
    static let cases = FaultMatrix.isWhole ? BadSectorCase.all : BadSectorCase.short
    private static let names = ["deb", "fed", "suse"]
    private static let images = names.map { "vm-templates/\($0)/root.img" }
    private static let volumes = names.map { WorkerRun.volume($0, "root", isTemplate: true) }

    private func world(_ test: BadSectorCase) throws -> FaultWorld {
        let world = try FaultWorld(
            devices: test.profile == .raid1 ? 2 : 1, options: test.profile.options,
            mount: test.isPacked ? ["compress-force=zstd"] : [])
        // What dedupe is for does not shrink, and what the others are for does.
        let content =
            test.verb == .dedupe && !test.isPacked
            ? Content.random(mebibytes: 4, seed: 1) : Content.text(mebibytes: 4, seed: 1)
        for image in Self.images {
            try world.write(content, to: image)
            try world.fileSystem.synchronize()
        }
        try world.fileSystem.remount()
        return world
    }

    /// What was readable on the device before is readable afterwards, from every image.
    @Test("Nothing that could be read is lost, whatever the cache holds", arguments: cases)
    func nothingIsLost(test: BadSectorCase) throws {
        let world = try world(test)
        switch test.cache {
        case .cold: break
        case .warm: try world.warm(Self.images)
        case .half: try world.warm(Self.images.prefix(1))
        }
        let (one, other) = (UInt64(1 << 20), UInt64(3 << 20))
        let bad: [(image: Int, offset: UInt64)] =
            switch test.bad {
            case .first: [(0, one)]
            case .second: [(1, one)]
            case .both: [(0, one), (1, other)]
            case .allButThird: [(0, one), (1, one)]
            }
        var unreadable: [String: Set<Int>] = [:]
        for (image, offset) in bad {
            try world.rot(Self.images[image], atByte: offset, copies: test.badCopies)
            guard test.badCopies == test.profile.copies else { continue }
            let first = Int(offset) / FaultWorld.blockBytes
            // Of packed content the whole extent, at most 128 KiB, is one sum of its parts.
            unreadable[Self.images[image], default: []].formUnion(
                first..<(first + (test.isPacked ? 32 : 1)))
        }
        let last = try world.job(test.verb.work, Self.volumes)
        guard case .result(let result)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        try world.fileSystem.remount()
        try world.dropCaches()
        try world.expectWhole(except: unreadable, "after \(test.verb)")
        // Names are those of places that were bad, and of no other.
        for place in result.unreadable ?? [] {
            let blocks = unreadable[place.image] ?? []
            let first = Int(place.offsetBytes) / FaultWorld.blockBytes
            let count = Int(place.lengthBytes) / FaultWorld.blockBytes
            #expect(blocks.isSuperset(of: first..<(first + count)), "\(place)")
        }
    }

    /// An extent is given back whole or not at all: of images in extents of a mebibyte one stays
    /// for the sector's sake; of images that are one extent each the bad one does, and all share
    /// it.
    @Test(
        "Around one bad sector of two equal images all but its extent is shared and packed",
        arguments: [1 << 20, nil])
    func aroundOneSector(extentBytes: Int?) throws {
        let world = try FaultWorld(mebibytes: 768)
        let content = Content.text(mebibytes: 48, seed: 2)
        for image in Self.images.prefix(2) {
            try world.write(content, to: image, flushEveryBytes: extentBytes)
        }
        try world.fileSystem.synchronize()
        try world.fileSystem.remount()
        let before = try world.fileSystem.dataUsedBytes()
        let middle = UInt64(24 << 20)
        try world.rot(Self.images[0], atByte: middle)
        let last = try world.job(WorkerRun.optimize, Array(Self.volumes.prefix(2)))
        guard case .result(let result)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        let packed = try world.fileSystem.compsizeBytes(
            world.fileSystem.image("vm-templates/fed"))
        let after = try world.fileSystem.dataUsedBytes()
        #expect(before >= 96 << 20)
        if extentBytes != nil {
            // Two copies in the plain become one that is packed, but for a mebibyte.
            #expect(packed < 16 << 20, "\(packed)")
            #expect(after <= packed + 1 << 20, "\(after)")
        } else {
            #expect(after <= before / 2 + 1 << 20, "\(after)")
        }
        #expect(
            result.unreadable == [
                UnreadablePlace(
                    qube: "deb", volume: "root", image: "vm-templates/deb/root.img",
                    offsetBytes: middle, lengthBytes: 4096,
                    copies: ["fed:root, vm-templates/fed/root.img at \(middle)"])
            ])
        #expect(result.unreadableCount == 1)
        #expect(result.deviceErrors?.first?.device == world.device.path)
        try world.fileSystem.remount()
        try world.expectWhole(
            except: [Self.images[0]: [Int(middle) / FaultWorld.blockBytes]], "after optimize")
    }

    @Test("A check and a report name what cannot be read, as long as that is so")
    func findings() throws {
        let world = try FaultWorld(mebibytes: 256)
        let image = Self.images[0]
        try world.write(Content.random(mebibytes: 2, seed: 4), to: image)
        try world.write(Content.random(mebibytes: 2, seed: 4), to: Self.images[1])
        try world.fileSystem.synchronize()
        try world.fileSystem.remount()
        try world.rot(image, atByte: 1 << 20)
        let volumes = Array(Self.volumes.prefix(2))
        guard case .result(let result)? = try world.job(WorkerRun.dedupe, volumes) else {
            Issue.record("no result")
            return
        }
        #expect(result.unreadable?.map(\.image) == [image])
        func found(_ volumes: [WorkerOrder.Volume]) throws -> [String] {
            guard case .check(let check)? = try world.job(.check, volumes),
                case .report(let report)? = try world.job(.report, volumes)
            else { return ["no answer"] }
            let findings = check.findings.filter { $0.topic == "image.unreadable" }
            let problems = report.problems.filter { $0.message.contains("does not give back") }
            #expect(findings.count == problems.count)
            #expect(findings.allSatisfy { $0.message.contains("4096 bytes of \(image)") })
            #expect(findings.allSatisfy { $0.message.contains("\(1 << 20)") })
            return findings.map(\.subject)
        }
        #expect(try found(volumes) == ["deb:root"])
        // Of a qube alone that has none, nothing.
        var other = volumes
        other[0].selected = false
        #expect(try found(other) == [])
        world.device.mend()
        #expect(try found(volumes) == [])
        // It was forgotten: what goes bad later is for a job to find.
        try world.fileSystem.remount()
        try world.rot(image, atByte: 1 << 20)
        #expect(try found(volumes) == [])
    }
}
