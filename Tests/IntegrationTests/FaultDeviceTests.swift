// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc
import SystemPackage
import Testing

/// A test that trusts the faulty device has to know that it is one.
@Suite("A device with chosen faults", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct FaultDeviceTests {
    private func read(_ path: String, _ offset: off_t, _ count: Int) throws(Errno) -> [UInt8] {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Errno(rawValue: errno) }
        defer { close(file) }
        // What was read before is not asked for again.
        posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
        var bytes = [UInt8](repeating: 0, count: count)
        let got = unsafe pread(file, &bytes, count, offset)
        guard got == count else { throw got < 0 ? Errno(rawValue: errno) : .ioError }
        return bytes
    }

    private func write(_ path: String, _ offset: off_t, _ bytes: [UInt8]) throws(Errno) {
        let file = unsafe open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw Errno(rawValue: errno) }
        defer { close(file) }
        let put = unsafe pwrite(file, bytes, bytes.count, offset)
        guard put == bytes.count, fsync(file) == 0 else { throw Errno(rawValue: errno) }
    }

    @Test("Without faults it keeps what is written")
    func sound() throws {
        let device = try FaultDevice(mebibytes: 16)
        let bytes = (0..<(3 << 20)).map { UInt8(truncatingIfNeeded: $0 / 7) }
        try write(device.path, 5 << 20, bytes)
        #expect(try read(device.path, 5 << 20, bytes.count) == bytes)
        #expect(try read(device.path, 0, 4096).allSatisfy { $0 == 0 })
        #expect(device.troubles == (0, 0))
    }

    @Test("Reads of bad places fail, rotten ones come back changed, and the rest is as it was")
    func reads() throws {
        let device = try FaultDevice(mebibytes: 16)
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        try write(device.path, 0, bytes)
        device.set { $0.unreadable = [8192..<12288] }
        #expect(throws: Errno.ioError) { try read(device.path, 8192, 4096) }
        #expect(try read(device.path, 512 << 10, 4096).allSatisfy { $0 == 7 })
        device.set {
            $0.unreadable = []
            $0.rotten = [8192..<8200]
        }
        let rotten = try read(device.path, 8192, 4096)
        #expect(rotten.prefix(8).allSatisfy { $0 == 7 ^ 0x5a })
        #expect(rotten.dropFirst(8).allSatisfy { $0 == 7 })
        #expect(device.troubles.reads >= 2)
        device.mend()
        #expect(try read(device.path, 8192, 4096).allSatisfy { $0 == 7 })
    }

    @Test("Writes are refused where and when they should be")
    func writes() throws {
        let device = try FaultDevice(mebibytes: 16)
        let block = [UInt8](repeating: 1, count: 4096)
        try write(device.path, 0, block)
        device.set {
            $0.refusals = [
                Faults.Refusal(
                    ranges: [0..<(8 << 20)], error: .noSpace, roomBytes: 8192, onlyNewBlocks: true)
            ]
        }
        // Written before: it takes no room.
        try write(device.path, 0, block)
        try write(device.path, 4096, block + block)
        #expect(throws: (any Error).self) { try write(device.path, 1 << 20, block) }
        try write(device.path, 4096, block)
        try write(device.path, 9 << 20, block)
        #expect(device.troubles.writes > 0)
        device.mend()
        try write(device.path, 1 << 20, block)
    }

    @Test("What is written is kept in order, with the flushes between")
    func records() throws {
        let device = try FaultDevice(mebibytes: 16)
        device.set { $0.records = true }
        try write(device.path, 4096, [UInt8](repeating: 1, count: 4096))
        try write(device.path, 8192, [UInt8](repeating: 2, count: 4096))
        var offsets: [UInt64] = []
        var flushes = 0
        for record in device.written {
            if case .write(let offset, let data) = record {
                offsets.append(offset)
                #expect(data.count == 4096)
            }
            if case .flush = record { flushes += 1 }
        }
        #expect(offsets == [4096, 8192])
        #expect(flushes >= 2)
    }

    @Test("A Btrfs on it finds a rotten sector, and with two copies mends it")
    func btrfs() throws {
        for profile in ["single", "dup"] {
            let device = try FaultDevice(mebibytes: 256)
            let fileSystem = try LoopFileSystem(on: [device], options: ["-d", profile])
            let image = fileSystem.image("appvms/work/private.img")
            let content = Content.random(mebibytes: 2, seed: 1)
            try Files.write(content, to: image)
            try fileSystem.synchronize()
            let places = try DeviceMap(fileSystem.path).copies(ofByte: 1 << 20, in: image)
            #expect(places.count == (profile == "dup" ? 2 : 1))
            let bad = places[0].offset
            #expect(
                try read(device.backing, off_t(bad), 64)
                    == [UInt8](content[1 << 20..<(1 << 20) + 64]))
            try fileSystem.remount()
            device.set { $0.rotten = [bad..<(bad + 16)] }
            let got = try? Data(contentsOf: URL(fileURLWithPath: image))
            #expect((got == content) == (profile == "dup"))
        }
    }

    @Test("A device that hangs lets nobody through until it goes on")
    func hang() throws {
        let device = try FaultDevice(mebibytes: 16)
        device.set { $0.hangs = true }
        let reader = Process()
        reader.executableURL = URL(fileURLWithPath: "/bin/sh")
        reader.arguments = [
            "-c",
            "echo begun; dd if=\(device.path) bs=4096 count=1 iflag=direct status=none"
                + " | wc --bytes",
        ]
        let output = Pipe()
        reader.standardOutput = output
        try reader.run()
        #expect(
            String(decoding: output.fileHandleForReading.availableData, as: UTF8.self) == "begun\n")
        #expect(reader.isRunning)
        device.mend()
        #expect(
            String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
                == "4096\n")
        reader.waitUntilExit()
    }
}
