// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc
import Protocol
import Testing

/// The worker could not write to an image if it wanted to.
@Suite("The worker's hands are tied", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct HarmlessnessTests {
    @Test("No image is ever opened for writing, and no write to one is seen")
    func imagesAreOnlyRead() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 8, seed: 1), to: image)
        try Files.copy(image, to: fileSystem.image("appvms/work/private-precache.img"))
        let watch = inotify_init1(Int32(IN_NONBLOCK))
        defer { close(watch) }
        let copy = fileSystem.image("appvms/work/private-precache.img")
        for path in [image, copy] {
            let written = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF
            unsafe #expect(inotify_add_watch(watch, path, UInt32(written)) >= 0)
        }
        for path in [fileSystem.pool, fileSystem.image("appvms"), fileSystem.image("appvms/work")] {
            let named = IN_CREATE | IN_DELETE | IN_MOVE | IN_ATTRIB
            unsafe #expect(inotify_add_watch(watch, path, UInt32(named)) >= 0)
        }
        let volumes = [WorkerRun.volume("work")]
        try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(watch, &buffer, buffer.count)
        #expect(count < 0 && errno == EAGAIN, "an event: \(buffer.prefix(max(count, 0)))")
        // The watch is awake: what it waits for is seen.
        try Files.overwrite(image, atOffset: 0, with: Data("x".utf8))
        #expect(unsafe read(watch, &buffer, buffer.count) > 0)
    }

    @Test("While it works, the worker has given up the right to open anything for writing")
    func sandboxIsOn() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        try Files.write(
            Content.text(mebibytes: 48, seed: 2),
            to: fileSystem.image("appvms/work/private.img"))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Command.program("qubes-btrfs-worker"))
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let order = WorkerRun.order(
            WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        try input.fileHandleForWriting.write(contentsOf: try JSONEncoder().encode(order))
        try input.fileHandleForWriting.close()
        // Its first message comes after it has tied its hands.
        #expect(!output.fileHandleForReading.availableData.isEmpty)
        let status = try String(
            contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        // Both ties want no_new_privs first, and nothing else sets it here.
        #expect(status.contains("NoNewPrivs:\t1"))
        #expect(status.contains("Seccomp:\t2"))
        let descriptors = "/proc/\(process.processIdentifier)/fdinfo"
        for name in try FileManager.default.contentsOfDirectory(atPath: descriptors) {
            let link = "/proc/\(process.processIdentifier)/fd/\(name)"
            guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: link),
                target.hasPrefix(fileSystem.path), !target.contains("(deleted)"),
                let info = try? String(contentsOfFile: "\(descriptors)/\(name)", encoding: .utf8)
            else { continue }
            let flags = info.split(separator: "\n").first { $0.hasPrefix("flags:") }
            #expect(flags?.last == "0", "\(target) is open for more than reading: \(flags ?? "")")
        }
        _ = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test("A qube that writes to its image all the while loses nothing")
    func liveQube() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1536)
        let clean = fileSystem.image("appvms/work/private.img")
        let live = fileSystem.image("appvms/work/private-dirty.img")
        try FileManager.default.createDirectory(
            atPath: fileSystem.image("appvms/work"), withIntermediateDirectories: true)
        try Command.check("truncate", "-s", "256M", clean)
        let tree = fileSystem.folder + "/tree"
        for number in 0..<12 {
            try Files.write(
                Content.text(mebibytes: 4, seed: UInt64(number)), to: tree + "/file-\(number)")
        }
        try Command.check("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, clean)
        try Files.clone(clean, to: live)
        let mounted = fileSystem.folder + "/qube"
        try FileManager.default.createDirectory(
            atPath: mounted, withIntermediateDirectories: true)
        try Command.check("mount", "-o", "loop", live, mounted)
        defer { _ = try? Command.run(["umount", mounted]) }

        let writer = Process()
        writer.executableURL = URL(fileURLWithPath: "/bin/sh")
        writer.arguments = [
            "-c",
            """
            cd \(mounted) && n=0
            while [ ! -e \(fileSystem.folder)/stop ]; do
                n=$((n + 1)); name=new-$((n % 40))
                head -c $((n * 1000 % 300000 + 1)) file-$((n % 12)) > $name && sync $name
                sha256sum $name > sum-$((n % 40))
            done
            """,
        ]
        try writer.run()
        // However this ends: a writer that goes on would keep the test from ending.
        let stop = fileSystem.folder + "/stop"
        defer {
            try? Files.write(Data(), to: stop)
            if writer.isRunning { writer.terminate() }
            writer.waitUntilExit()
        }
        let volumes = [WorkerRun.volume("work")]
        for work in [WorkerOrder.Work.compress(level: 3, running: true), .dedupe(running: true)] {
            try WorkerRun.job(work, volumes, on: fileSystem)
        }
        try Files.write(Data(), to: stop)
        writer.waitUntilExit()
        #expect(writer.terminationStatus == 0)
        try Command.check("umount", mounted)
        try Command.check("e2fsck", "-fn", live)
        try Command.check("e2fsck", "-fn", clean)
        try Command.check("mount", "-o", "loop", live, mounted)
        let sums = try Command.check(
            "sh", "-c", "cd \(mounted) && cat sum-* | sha256sum --quiet -c - && ls sum-* | wc -l")
        #expect(Int(sums.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 0)
        for number in 0..<12 {
            let data = try Data(contentsOf: URL(fileURLWithPath: mounted + "/file-\(number)"))
            #expect(data == Content.text(mebibytes: 4, seed: UInt64(number)))
        }
    }
}
