// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite(
    "That no byte has changed is seen on a real Btrfs",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct VerifyTests {
    private static let work = "appvms/work/private.img"
    private static let revision = "appvms/work/private.img.1@2026-01-02T03:04:05Z"
    private static let second = "appvms/work/private.img.2@2026-02-02T03:04:05Z"
    private static let volumes = [WorkerRun.volume("work"), WorkerRun.volume("other")]

    /// Verifies with the real worker, and what it keeps in a folder beside the file system.
    private func verify(
        on fileSystem: LoopFileSystem, accepts: Bool = false,
        _ volumes: [WorkerOrder.Volume] = Self.volumes
    ) throws -> JobResult {
        let state = fileSystem.folder + "/state"
        try FileManager.default.createDirectory(
            atPath: state, withIntermediateDirectories: true)
        return try WorkerRun.job(
            .verify(accepts: accepts), volumes, on: fileSystem,
            options: ["--state-directory", state])
    }

    private func counts(
        on fileSystem: LoopFileSystem, accepts: Bool = false,
        _ volumes: [WorkerOrder.Volume] = Self.volumes
    ) throws -> Verification.Counts {
        let result = try verify(on: fileSystem, accepts: accepts, volumes)
        return try #require(result.verification).total
    }

    /// The file of digests, whole.
    private func kept(on fileSystem: LoopFileSystem) throws -> String {
        let state = fileSystem.folder + "/state"
        let names = try FileManager.default.contentsOfDirectory(atPath: state)
        return state + "/" + (try #require(names.first { $0.hasPrefix("digests-") }))
    }

    /// Text, noise, zeroes that were written, a hole, what was allocated and never written, a
    /// clone, a revision, and the same again in another qube.
    private func mixed(mebibytes: Int = 1024, mount: [String] = []) throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: mebibytes, mount: mount)
        try fill(fileSystem)
        return fileSystem
    }

    private func fill(_ fileSystem: LoopFileSystem) throws {
        let work = fileSystem.image(Self.work)
        try Files.write(
            Content.text(mebibytes: 12, seed: 1) + Content.random(mebibytes: 6, seed: 2)
                + Data(count: 6 << 20) + Data("not a whole sector".utf8), to: work)
        try Files.clone(work, to: fileSystem.image("appvms/work/private-precache.img"))
        try Files.clone(work, to: fileSystem.image(Self.revision))
        try Files.overwrite(
            work, atOffset: 5 << 20, with: Content.text(mebibytes: 1, seed: 5))
        let other = fileSystem.image("appvms/other/private.img")
        try Files.write(Content.text(mebibytes: 12, seed: 1), to: other)
        try Command.check("truncate", "-s", "96M", other)
        try Command.check("fallocate", "-l", "4M", "-o", "64M", other)
        try fileSystem.synchronize()
    }

    // MARK: Equal

    @Test("Every job leaves every image equal, byte by byte")
    func jobs() throws {
        let fileSystem = try mixed()
        let first = try counts(on: fileSystem)
        #expect(first.new == 4 && first.equal == 0)
        for work in [
            WorkerRun.compress, WorkerRun.dedupe, WorkerRun.optimize, WorkerRun.defragment,
            WorkerRun.sparsify, .compress(level: 0, running: false),
        ] {
            let result = try WorkerRun.job(work, Self.volumes, on: fileSystem)
            let counts = try counts(on: fileSystem)
            #expect(counts.equal == 4, "after \(work): \(counts)")
            #expect(counts.different + counts.written + counts.new + counts.unreadable == 0)
            #expect(result.problems.isEmpty)
        }
    }

    @Test("It changes nothing, and what it keeps are the sums that sha256sum prints")
    func sums() throws {
        let fileSystem = try mixed()
        let inventory = try fileSystem.inventory()
        let result = try verify(on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        let lines = try String(contentsOfFile: kept(on: fileSystem), encoding: .utf8)
            .split(separator: "\n")
        let sums = inventory.filter { $0.key.hasPrefix("sum ") }.map(\.value)
        #expect(Set(lines.map { String($0.prefix(64)) }) == Set(sums))
        // Holes are not read.
        let read = try #require(result.verification).readBytes
        #expect(read > 60 << 20 && read < 100 << 20, "\(read)")
    }

    @Test("A qube that stops gives its image another name, and the bytes are still known")
    func rename() throws {
        let fileSystem = try mixed()
        _ = try verify(on: fileSystem)
        let work = fileSystem.image(Self.work)
        try Command.check("mv", work, fileSystem.image(Self.second))
        try Files.write(Content.random(mebibytes: 2, seed: 9), to: work)
        let counts = try counts(on: fileSystem)
        #expect(counts.equal == 4, "the revision is what the image was")
        #expect(counts.written == 1, "another file stands under the known name")
        #expect(counts.different == 0)
    }

    // MARK: Written, in use

    @Test("A qube that wrote is seen to have written, and is equal from then on")
    func written() throws {
        let fileSystem = try mixed()
        _ = try verify(on: fileSystem)
        try Files.overwrite(
            fileSystem.image(Self.work), atOffset: 3 << 20, with: Data("x".utf8))
        let counts = try counts(on: fileSystem)
        #expect(counts.written == 1 && counts.equal == 3)
        #expect(try self.counts(on: fileSystem).equal == 4)
    }

    @Test("Images of running qubes are in use, are not read, and nothing is kept of them")
    func running() throws {
        let fileSystem = try mixed()
        let dirty = fileSystem.image("appvms/work/private-dirty.img")
        try Files.clone(fileSystem.image(Self.work), to: dirty)
        try Files.write(
            Data(count: 1 << 20), to: fileSystem.image("appvms/work/private-import.img"))
        let counts = try counts(on: fileSystem)
        #expect(counts.inUse == 2 && counts.new == 4)
        let lines = try String(contentsOfFile: kept(on: fileSystem), encoding: .utf8)
        #expect(lines.split(separator: "\n").count == 4)
    }

    @Test("An image of which somebody has pages that do not go is in use")
    func mapped() throws {
        let fileSystem = try mixed()
        _ = try verify(on: fileSystem)
        let file = try FileHandle(
            forReadingFrom: URL(fileURLWithPath: fileSystem.image(Self.work)))
        defer { try? file.close() }
        let mapping = unsafe mmap(
            nil, 4096, PROT_READ, MAP_SHARED | MAP_POPULATE, file.fileDescriptor, 0)
        defer { unsafe munmap(mapping, 4096) }
        let counts = try counts(on: fileSystem)
        #expect(counts.inUse == 1 && counts.equal == 3)
    }

    // MARK: Different

    private func rotten() throws -> FaultWorld {
        let world = try FaultWorld(mebibytes: 1024, mount: ["nodatasum"])
        try fill(world.fileSystem)
        _ = try verify(on: world.fileSystem)
        return world
    }

    @Test("A byte that changes on the disk is DIFFERENT, though memory still holds it right")
    func different() throws {
        let world = try rotten()
        try world.warm([Self.work])
        try world.rot(Self.work, atByte: 2 << 20)
        let found = try #require(try verify(on: world.fileSystem).verification)
        // The clones have the same sector.
        #expect(found.total.different == 3 && found.total.equal == 1)
        #expect(found.hasDifferences)
        #expect(found.different.map(\.image).contains(Self.work))
        #expect(found.different.allSatisfy { $0.qube == "work" && $0.takenAt > 0 })
    }

    @Test("What is DIFFERENT is said each time, until it is accepted or as it was")
    func untilAccepted() throws {
        let world = try rotten()
        try world.rot(Self.work, atByte: 2 << 20)
        for _ in 0..<2 { #expect(try counts(on: world.fileSystem).different == 3) }
        world.device.mend()
        #expect(try counts(on: world.fileSystem).equal == 4)
        try world.rot(Self.work, atByte: 2 << 20)
        let accepted = try #require(
            try verify(on: world.fileSystem, accepts: true).verification)
        #expect(accepted.total.different == 3 && !accepted.hasDifferences)
        #expect(try counts(on: world.fileSystem).equal == 4)
    }

    @Test("A qube that stops between the damage and the look does not hide it")
    func renamedAfterwards() throws {
        let world = try rotten()
        try world.rot(Self.work, atByte: 2 << 20)
        let work = world.fileSystem.image(Self.work)
        try Command.check(
            "mv", work, world.fileSystem.image(Self.second))
        #expect(try counts(on: world.fileSystem).different == 3)
    }

    @Test("What the disk does not give back is unreadable, with its place, and still known later")
    func unreadable() throws {
        let world = try FaultWorld(mebibytes: 1024)
        try fill(world.fileSystem)
        _ = try verify(on: world.fileSystem)
        let offset = UInt64(5 << 20) + 8192
        try world.rot(Self.work, atByte: offset)
        let result = try verify(on: world.fileSystem)
        let counts = try #require(result.verification).total
        #expect(counts.unreadable == 1 && counts.equal == 3)
        let place = try #require(result.unreadable?.first)
        #expect(place.image == Self.work && place.offsetBytes == offset)
        world.device.mend()
        #expect(try self.counts(on: world.fileSystem).equal == 4)
    }

    // MARK: What is kept

    @Test("A damaged, cut, foreign or absurd file of digests costs a new taking, and is said")
    func damagedFile() throws {
        let fileSystem = try mixed()
        _ = try verify(on: fileSystem)
        let path = try kept(on: fileSystem)
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(whole.count == 4 * 256)
        var turned = whole
        turned[300] ^= 1
        let spoiled: [(Data, equal: UInt64)] = [
            (turned, 3), (whole.dropLast(100), 3), (whole.dropLast(256), 3),
            (Content.random(mebibytes: 1, seed: 3), 0), (Data(count: 5 << 20), 0),
            (Data("SQLite format 3\0".utf8), 0),
        ]
        for (bytes, equal) in spoiled {
            try bytes.write(to: URL(fileURLWithPath: path))
            let result = try verify(on: fileSystem)
            let counts = try #require(result.verification).total
            #expect(counts.equal == equal && counts.new + counts.written == 4 - equal)
            #expect(counts.different == 0)
            let isSaid = result.problems.contains { $0.message.contains("taken anew") }
            // A line that is not there is none that was kept.
            #expect(isSaid == (bytes.count % 256 != 0 || bytes.count != 3 * 256))
            #expect(try self.counts(on: fileSystem).equal == 4)
            #expect(try self.verify(on: fileSystem).problems.isEmpty)
        }
    }

    @Test("Digests of another file system say nothing of this one")
    func foreignFile() throws {
        let (one, other) = (try mixed(), try mixed())
        _ = try verify(on: one)
        _ = try verify(on: other)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: kept(on: one)))
        try bytes.write(to: URL(fileURLWithPath: kept(on: other)))
        let result = try verify(on: other)
        #expect(try #require(result.verification).total.new == 4)
        #expect(result.problems.contains { $0.message.hasPrefix("4 of the digests") })
    }

    @Test("What is gone is kept no more, and the file does not grow")
    func bounded() throws {
        let fileSystem = try mixed()
        _ = try verify(on: fileSystem)
        for number in 0..<3 {
            try Command.check("rm", fileSystem.image(Self.work))
            try Files.write(
                Content.text(mebibytes: 1, seed: UInt64(number)),
                to: fileSystem.image(Self.work))
            #expect(try counts(on: fileSystem).equal == 3)
        }
        let size = try Data(contentsOf: URL(fileURLWithPath: kept(on: fileSystem))).count
        #expect(size <= 5 * 256)
        let mode = try FileManager.default.attributesOfItem(atPath: kept(on: fileSystem))
        #expect(mode[.posixPermissions] as? Int == 0o600, "digests are for root alone")
    }
}

extension VerifyTests {
    @Test("A caller sees what has come of its own images, and no digest is sent to anybody")
    func visibility() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        for (seed, image) in [
            Self.work, "appvms/vault/private.img", "vm-templates/deb/private.img",
        ]
        .enumerated() {
            try Files.write(
                Content.text(mebibytes: 1, seed: UInt64(seed)), to: fileSystem.image(image))
        }
        try fileSystem.synchronize()
        let sums = try fileSystem.inventory().filter { $0.key.hasPrefix("sum ") }.map(\.value)
        let daemon = try DaemonRun(on: fileSystem)
        func job(from caller: String) throws -> (text: String, record: JobRecord) {
            let job = try DaemonRun.reply(
                daemon.call("btrfs.Verify", from: caller, to: .name("dom0")),
                as: JobAccepted.self
            ).job
            let bytes = try daemon.call(
                "btrfs.job.Watch", argument: job, from: caller, to: .name("dom0"))
            return (
                String(decoding: bytes, as: UTF8.self),
                try DaemonRun.reply(bytes, as: JobRecord.self)
            )
        }
        for (caller, qubes) in [("mgmt", ["deb", "work"]), ("dom0", ["deb", "vault", "work"])] {
            let (text, record) = try job(from: caller)
            let found = try #require(record.result?.verification)
            #expect(found.volumes.map(\.qube) == qubes)
            #expect(!sums.contains(where: text.contains))
            #expect(text.contains("vault") == (caller == "dom0"))
        }
        let ending = try daemon.client("verify")
        #expect(ending.status == 0, "\(ending)")
        #expect(ending.output.contains("Not a") && ending.output.contains("QUBE"))
        #expect(ending.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        let brief = try daemon.client("verify", "work", "--brief")
        #expect(brief.output.hasPrefix("verify work is done: Images: 1 equal. Job "))
    }

    @Test("An image that somebody writes to while it is read is in use")
    func writtenMeanwhile() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image(Self.work)
        try Files.write(Content.text(mebibytes: 1, seed: 1), to: image)
        try Command.check("truncate", "--size", "4G", image)
        try fileSystem.synchronize()
        let session = try WorkerSession(
            WorkerRun.order(.verify(accepts: false), Self.volumes, on: fileSystem))
        // What is written was read before, and the hole behind it takes a while.
        _ = try session.progress { $0.doneBytes > 1 << 20 }
        session.say(.pause)
        let held = try session.progress { $0.pacing?.state == .held }
        #expect(held != nil, "it is still at it")
        try Files.overwrite(image, atOffset: 0, with: Data("x".utf8))
        session.say(.resume)
        guard case .result(let result)? = try session.last() else {
            Issue.record("it did not come to its end")
            return
        }
        #expect(try #require(result.verification).total.inUse == 1)
    }

    @Test("A job that is cancelled, within a hole without end, has kept what it had found")
    func cancelled() throws {
        let fileSystem = try mixed()
        let endless = fileSystem.image(Self.second)
        try Files.write(Data(), to: endless)
        try Command.check("truncate", "--size", "60T", endless)
        let state = fileSystem.folder + "/state"
        try FileManager.default.createDirectory(
            atPath: state, withIntermediateDirectories: true)
        let session = try WorkerSession(
            WorkerRun.order(.verify(accepts: false), Self.volumes, on: fileSystem),
            options: ["--state-directory", state])
        // It is the last, and all others together are shorter.
        _ = try session.progress { $0.doneBytes > 256 << 20 }
        session.say(.cancel)
        guard case .cancelled(let result)? = try session.last() else {
            Issue.record("it did not end as cancelled")
            return
        }
        #expect(try #require(result.verification).total.new == 4)
        try Command.check("rm", endless)
        #expect(try counts(on: fileSystem).equal == 4)
    }
}
