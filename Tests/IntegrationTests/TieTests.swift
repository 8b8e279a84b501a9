// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// The worker's ties on kernels with Landlock, with Landlock switched off, and without it.
@Suite(
    "The worker's ties on a real Btrfs",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason),
    .enabled(if: Confinement.isAvailable, Confinement.reason))
struct TieTests {
    /// What the kernel says when it is asked for Landlock; nil for what this one says.
    static let kernels: [Int32?] = [nil, EOPNOTSUPP, ENOSYS]

    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]

    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let work = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 16, seed: 1), to: work)
        try Files.copy(work, to: fileSystem.image("appvms/copy/private.img"))
        try fileSystem.synchronize()
        return fileSystem
    }

    private func on<Result>(
        _ kernel: Int32?, _ body: @escaping () throws -> Result
    ) throws -> Result {
        guard let kernel else { return try body() }
        return try Confinement.withoutLandlock(kernel).confining(body)
    }

    /// How many filters a thread is under.
    private func filters(_ path: String) throws -> Int {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let line = try #require(lines.first { $0.hasPrefix("Seccomp_filters:") })
        return try #require(Int(line.filter(\.isNumber)))
    }

    @Test("Whatever Landlock is, every thread of a worker is under the filter", arguments: kernels)
    func everyThread(kernel: Int32?) throws {
        let fileSystem = try populated()
        let order = WorkerRun.order(WorkerRun.compress, volumes, on: fileSystem)
        // Those that the test runs under, and that which takes Landlock away.
        let others = try filters("/proc/self/status") + (kernel == nil ? 0 : 1)
        let session = try on(kernel) { try WorkerSession(order) }
        try #require(try session.progress { $0.stage == .execute } != nil)
        Foundation.kill(session.identifier, SIGSTOP)
        let folder = "/proc/\(session.identifier)/task"
        let threads = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(threads.count > 2, "the governor's threads are there, if not the lanes")
        for thread in threads {
            let path = "\(folder)/\(thread)/status"
            let status = try String(contentsOfFile: path, encoding: .utf8)
            #expect(status.contains("NoNewPrivs:\t1"), "\(thread)")
            #expect(status.contains("Seccomp:\t2"), "\(thread)")
            #expect(try filters(path) == others + 1, "\(thread)")
        }
        Foundation.kill(session.identifier, SIGCONT)
        guard case .result(let result)? = try session.last() else {
            Issue.record("it did not come to its end")
            return
        }
        #expect(result.problems.isEmpty && result.extentsReplaced > 0)
    }

    @Test("Whatever Landlock is, every order is done, with what is kept", arguments: kernels)
    func everyOrder(kernel: Int32?) throws {
        let fileSystem = try populated()
        let (cache, state) = (fileSystem.folder + "/cache", fileSystem.folder + "/state")
        for folder in [cache, state] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        }
        let inventory = try fileSystem.inventory()
        let works: [WorkerOrder.Work] = [
            .report, .check, .estimate(running: false), .verify(accepts: false),
            WorkerRun.dedupe, WorkerRun.compress, WorkerRun.optimize, WorkerRun.defragment,
            WorkerRun.sparsify, .report,
        ]
        for work in works {
            let order = WorkerRun.order(work, volumes, on: fileSystem)
            let options = ["--state-directory", state]
            let last = try on(kernel) {
                try WorkerRun.messages(order, cache: cache, options: options).last
            }
            switch last {
            case .report(let report): #expect(report.problems.isEmpty, "\(report.problems)")
            case .check: break
            case .result(let result): #expect(result.problems.isEmpty, "\(result.problems)")
            default: Issue.record("\(work): \(String(describing: last))")
            }
        }
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() < 8 << 20)
        let kept = try FileManager.default.contentsOfDirectory(atPath: cache)
        for kind in ["fingerprints-", "settled-", "verdicts-"] {
            let name = try #require(kept.first { $0.hasPrefix(kind) })
            let file = try FileManager.default.attributesOfItem(atPath: cache + "/" + name)
            #expect((file[.size] as? Int ?? 0) > 2, "\(name)")
        }
        // Of what stands in two files by turns there is a second one; of a survey of few extents
        // nothing is kept.
        #expect(kept.filter { $0.hasPrefix("survey") }.count == 2, "\(kept)")
        #expect(kept.count == 6, "\(kept)")
    }

    @Test("Whatever Landlock is, what new images inherit can be set", arguments: kernels)
    func newData(kernel: Int32?) throws {
        let fileSystem = try populated()
        let settings: [NewDataSetting] = [.zstd, .off, .inherit]
        for setting in settings {
            let order = WorkerRun.order(
                .newData(setting), [WorkerRun.volume("work")], on: fileSystem)
            let last = try on(kernel) { try WorkerRun.messages(order).last }
            guard case .newData(let reply)? = last else {
                Issue.record("\(setting): \(String(describing: last))")
                continue
            }
            let isCompressed = setting == .zstd
            #expect(reply.volumes.first?.newData.isCompressedLater == isCompressed)
        }
    }

    @Test("A check says what the kernel answered, with the command that switches it on")
    func check() throws {
        let fileSystem = try populated()
        let order = WorkerRun.order(.check, volumes, on: fileSystem)
        func finding(_ kernel: Int32?) throws -> CheckReport.Finding {
            let last = try on(kernel) { try WorkerRun.messages(order).last }
            guard case .check(let check)? = last else {
                throw WorkerRun.UnexpectedEnd(message: "\(String(describing: last))")
            }
            return try #require(check.findings.first { $0.topic == "sandbox" })
        }
        let off = try finding(EOPNOTSUPP)
        #expect(off.level == .note && off.message.contains("switched off"))
        #expect(off.command?.contains("lsm=landlock,") == true)
        let absent = try finding(ENOSYS)
        #expect(absent.level == .note && absent.message.contains("no Landlock"))
        #expect(absent.command?.contains("qubes-dom0-update") == true)
        #expect([.good, .note].contains(try finding(nil).level))
    }

    @Test("Without the filter nothing is done at all")
    func noFilter() throws {
        let fileSystem = try populated()
        let before = try fileSystem.dataUsedBytes()
        let order = WorkerRun.order(WorkerRun.compress, volumes, on: fileSystem)
        let last = try Confinement.withoutFilters.confining { try WorkerRun.messages(order).last }
        guard case .failure(_, let message, let detail)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(message.contains("nothing was done") && detail.contains("seccomp"))
        #expect(try fileSystem.dataUsedBytes() == before)
    }
}
