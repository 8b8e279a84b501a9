// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemPackage
import TestSupport
import Testing

/// The built client following a stand-in for qubesd, with the real daemon on a real Btrfs.
@Suite("What follows qubesd", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct FollowTests {
    /// `follow` as its unit starts it, but with a shorter quiet time.
    private final class Follower {
        let process = Process()
        private let errors = Pipe()

        init(_ daemon: DaemonRun, _ qubesd: QubesdStandIn, quietMilliseconds: Int) throws {
            process.executableURL = URL(fileURLWithPath: Command.program("qvm-btrfs"))
            process.arguments = [
                "follow", "--quiet-milliseconds", "\(quietMilliseconds)", "--qubesd-socket",
                qubesd.path.string, "--socket", daemon.socket.string,
            ]
            process.standardError = errors
            try process.run()
        }

        deinit { process.terminate() }

        /// Ends it as systemd does.
        /// - Returns: its status, and what it has said.
        func stop() throws -> (status: Int32, errors: String) {
            process.terminate()
            process.waitUntilExit()
            let said = try errors.fileHandleForReading.readToEnd() ?? Data()
            return (process.terminationStatus, String(decoding: said, as: UTF8.self))
        }
    }

    private func qubesd() throws -> QubesdStandIn {
        try QubesdStandIn(
            .init(qubes: [
                "dom0": "class=AdminVM state=Running", "deb": "class=TemplateVM state=Halted",
                "work": "class=AppVM state=Halted", "vault": "class=AppVM state=Halted",
                "disp1": "class=DispVM state=Running",
            ]))
    }

    private func world() throws -> (fileSystem: LoopFileSystem, daemon: DaemonRun) {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        try Files.write(
            Content.text(mebibytes: 2, seed: 1), to: fileSystem.image("appvms/deb/private.img"))
        return (fileSystem, try DaemonRun(on: fileSystem))
    }

    private func jobs(_ daemon: DaemonRun) throws -> [JobRecord] {
        try DaemonRun.reply(
            daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self
        ).jobs
    }

    /// Waits until so many jobs are over.
    private func waitForJobs(_ count: Int, _ daemon: DaemonRun) throws -> [JobRecord] {
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            let jobs = try jobs(daemon)
            if jobs.filter(\.isOver).count >= count { return jobs }
            usleep(50_000)
        }
        return try jobs(daemon)
    }

    @Test("A template's commit leads to one optimize of it, asked for by dom0")
    func template() throws {
        let (_, daemon) = try world()
        let qubesd = try qubesd()
        let follower = try Follower(daemon, qubesd, quietMilliseconds: 300)
        try #require(qubesd.waitForListeners(1))
        for name in ["domain-pre-start", "domain-start", "domain-stopped"] {
            qubesd.fire(QubesdStandIn.event(name, subject: "deb"))
        }
        // Told twice, and of others that are not for it: a disposable, a qube without a root of
        // its own, and a name that is none.
        for subject in ["deb", "deb", "disp1", "work", "../etc"] {
            qubesd.fire(QubesdStandIn.event("domain-shutdown", subject: subject))
        }
        let jobs = try waitForJobs(1, daemon)
        // One more is due after the others would have been: what comes of it says that they passed.
        qubesd.fire(
            QubesdStandIn.event(
                "domain-volume-import-end", subject: "vault",
                fields: [("volume", "private"), ("success", "True")]))
        let all = try waitForJobs(2, daemon)
        #expect(jobs.map(\.target) == ["deb"])
        #expect(all.map(\.target) == ["vault", "deb"])
        #expect(all.allSatisfy { $0.operation == .optimize && $0.caller == "dom0" })
        #expect(all.allSatisfy { $0.argument.isEmpty })
        let log = try String(contentsOfFile: daemon.log, encoding: .utf8)
        let requests = log.split(separator: "\n").filter {
            $0.contains("event=request") && $0.contains("service=btrfs.Optimize")
        }
        #expect(requests.count == 2)
        #expect(requests.first?.contains("caller=dom0") == true)
        #expect(requests.first?.contains("target=deb") == true)
        let end = try follower.stop()
        #expect(end.status == 0)
        #expect(end.errors.contains("optimize deb, which has new data"))
    }

    @Test("It comes back to a qubesd that restarts, and says so once")
    func restart() throws {
        let (_, daemon) = try world()
        let qubesd = try qubesd()
        let follower = try Follower(daemon, qubesd, quietMilliseconds: 100)
        try #require(qubesd.waitForListeners(1))
        qubesd.dropListeners()
        while qubesd.calls.filter({ $0.hasPrefix("admin.Events+") }).count < 2 { usleep(20_000) }
        try #require(qubesd.waitForListeners(1))
        qubesd.fire(QubesdStandIn.event("domain-add", fields: [("vm", "work")]))
        #expect(try waitForJobs(1, daemon).map(\.target) == ["work"])
        let end = try follower.stop()
        #expect(end.status == 0)
        #expect(end.errors.components(separatedBy: "qubesd has ended its events").count == 2)
    }

    @Test("Thousands of events of a qube are one job")
    func flood() throws {
        let (_, daemon) = try world()
        let qubesd = try qubesd()
        let follower = try Follower(daemon, qubesd, quietMilliseconds: 500)
        try #require(qubesd.waitForListeners(1))
        for _ in 0..<3000 { qubesd.fire(QubesdStandIn.event("domain-shutdown", subject: "deb")) }
        #expect(try waitForJobs(1, daemon).map(\.target) == ["deb"])
        #expect(try follower.stop().status == 0)
        #expect(try jobs(daemon).count == 1)
    }

    @Test("One for all that waits already is enough")
    func covered() throws {
        let (fileSystem, daemon) = try world()
        let qubesd = try qubesd()
        // Long at work, and no optimize: what comes after it waits.
        try Files.write(
            Content.text(mebibytes: 64, seed: 2), to: fileSystem.image("appvms/work/private.img"))
        let held = try submit("Compress", "work", daemon, payload: #"{"version":1,"level":19}"#)
        let forAll = try submit("Optimize", "dom0", daemon)
        let follower = try Follower(daemon, qubesd, quietMilliseconds: 100)
        try #require(qubesd.waitForListeners(1))
        qubesd.fire(QubesdStandIn.event("domain-shutdown", subject: "deb"))
        // It has looked twice: for the list of qubes and, after more news, again.
        func looks() -> Int { qubesd.calls.filter { $0.hasPrefix("admin.vm.List+ dom0") }.count }
        while looks() < 1 { usleep(20_000) }
        qubesd.fire(QubesdStandIn.event("domain-shutdown", subject: "deb"))
        while looks() < 2 { usleep(20_000) }
        #expect(try follower.stop().status == 0)
        #expect(try Set(jobs(daemon).map(\.job)) == [held, forAll])
        for job in [held, forAll] { try? cancel(job, daemon) }
    }

    private func submit(
        _ name: String, _ target: String, _ daemon: DaemonRun, payload: String = ""
    ) throws -> String {
        try DaemonRun.reply(
            daemon.call("btrfs.\(name)", from: "dom0", to: .name(target), payload: payload),
            as: JobAccepted.self
        ).job
    }

    private func cancel(_ job: String, _ daemon: DaemonRun) throws {
        _ = try DaemonRun.reply(
            daemon.call("btrfs.job.Cancel", argument: job, from: "dom0", to: .name("dom0")),
            as: JobRecord.self)
    }
}
