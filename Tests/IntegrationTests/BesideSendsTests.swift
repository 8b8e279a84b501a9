// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Sends that come and go cost a job time and nothing else. The kernel refuses to share into what
/// is being sent, and to send what is being shared into at that moment; jobs leave off in time for
/// the second, if the machine is not so busy that none of their threads is run. `make test-sends`
/// says how many were refused.
@Suite("Beside sends that begin", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct BesideSendsTests {
    /// `make test-sends` sets it.
    private static let wanted = ProcessInfo.processInfo.environment["SENDS"].flatMap(Int.init)
    private static let isLong = wanted != nil
    private static let sends = wanted ?? 25

    /// Images with new content, and a snapshot that is sent from now on.
    private func snapshot(
        _ fileSystem: LoopFileSystem, _ names: [String], round: Int, _ newest: String
    ) throws {
        for (number, name) in names.enumerated() {
            let image = fileSystem.image("appvms/\(name)/private.img")
            let seed = UInt64(number / 2 + 10 * round)
            try Files.write(Content.text(mebibytes: 48, seed: seed), to: image)
        }
        let path = "\(fileSystem.path)/snapshot\(round)"
        try Command.check("btrfs", "subvolume", "snapshot", "-r", fileSystem.path, path)
        try fileSystem.synchronize()
        try Files.write(Data(path.utf8), to: newest)
    }

    @Test("A job does all of its work beside sends that begin again and again")
    func sends() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 4096)
        let names = (0..<4).map { "qube\($0)" }
        // Each send leaves a line with its status.
        let statuses = "\(fileSystem.path).sends"
        try Files.write(Data(), to: statuses)
        let newest = "\(fileSystem.path).newest"
        try snapshot(fileSystem, names, round: 0, newest)
        let sender = try ProgramBeside([
            "sh", "-c",
            "until [ -e \"$2.stop\" ]; do"
                + " btrfs -q send -f /dev/null \"$(cat \"$1\")\" 2>/dev/null;"
                + " echo $? >>\"$2\"; sleep 0.4; done",
            "sh", newest, statuses,
        ])
        var round = 0
        var sent: [Substring] = []
        while sent.count < Self.sends {
            if round > 0 { try snapshot(fileSystem, names, round: round, newest) }
            round += 1
            let volumes = names.map { WorkerRun.volume($0) }
            let session = try WorkerSession(
                WorkerRun.order(WorkerRun.compress, volumes, on: fileSystem))
            guard case .result(let result)? = try session.last() else {
                Issue.record("\(String(describing: session.messages.last))")
                break
            }
            #expect(result.extentsReplaced > 0)
            let sending = "its snapshot is being sent (btrfs send)"
            #expect(!result.leftAlone.contains { $0.reason == sending })
            let lines = try String(contentsOfFile: statuses, encoding: .utf8)
            sent = lines.split(separator: "\n")
        }
        try Files.write(Data(), to: statuses + ".stop")
        _ = sender.wait()
        let refused = sent.filter { $0 != "0" }.count
        print("\(refused) of \(sent.count) sends failed, beside \(round) jobs")
        // A commit of the kernel's own, every 30 s, may still be in the way: `make test` is not to
        // fail for that.
        if Self.isLong { #expect(refused == 0) }
    }
}
