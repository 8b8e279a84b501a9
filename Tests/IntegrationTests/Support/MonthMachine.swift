// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import TestSupport
import Testing

/// A machine for which weeks go by in minutes: it is switched on and off, its units are started
/// when systemd would, and it runs on mains or battery. All of it goes by the test's clock; only
/// the workers, which are real processes, have the machine's own.
final class MonthMachine {
    let fileSystem: LoopFileSystem
    let clock: TestClock
    let qubesd: QubesdStandIn
    private let timer: UnitTimer
    private let weekly: UnitFile
    private let places: UnitRun.Places
    private let daemonOptions: [String]
    private var daemon: DaemonInside?
    private var follower: FollowerInside?
    /// When the timer has elapsed last, as systemd keeps it in a file.
    private var lastElapse: Int64
    /// How long after it the unit is started, each time in turn, in parts of the most it may be.
    private var delays = [0.1, 0.8, 0.0, 0.5, 0.95]
    /// The last run of the weekly unit.
    private(set) var run: UnitRun?
    private(set) var runs = 0

    /// A machine that was installed at this moment, and is off.
    init(_ fileSystem: LoopFileSystem, _ qubesd: QubesdStandIn, at moment: String) throws {
        self.fileSystem = fileSystem
        self.qubesd = qubesd
        clock = TestClock(at: try Moments.seconds(moment))
        timer = try UnitTimer(UnitFile("qubes-btrfs-weekly.timer"))
        weekly = try UnitFile("qubes-btrfs-weekly.service")
        try #require(weekly.values("ConditionACPower").isEmpty)
        lastElapse = clock.now
        let folder = fileSystem.folder
        places = UnitRun.Places(
            socket: folder + "/socket", runFolder: folder + "/run",
            qubesdSocket: qubesd.path.string, stateDirectory: folder + "/state")
        for name in ["/state", "/cache", "/run", "/power/AC", "/power/BAT0"] {
            try FileManager.default.createDirectory(
                atPath: folder + name, withIntermediateDirectories: true)
        }
        try Command.check("ln", "-s", qubesd.path.string, folder + "/run/qubesd.sock")
        // Where a worker finds battery and lock is no setting of the daemon's.
        let worker = Command.program("qubes-btrfs-worker")
        let script = "#!/bin/sh\nexec \(worker) \"$@\" --power-supplies \(folder)/power"
        _ = try Command.run(
            ["sh", "-c", "cat >\"$0\"; chmod +x \"$0\"", folder + "/worker"],
            input: Data("\(script) --lock-file \(folder)/lock\n".utf8))
        daemonOptions = [
            "--socket", places.socket, "--qubes-xml", folder + "/qubes.xml", "--qubesd-socket",
            qubesd.path.string, "--worker", folder + "/worker", "--state-directory",
            places.stateDirectory, "--cache-directory", folder + "/cache", "--log-file",
            folder + "/btrfs.log", "--journal-socket", folder + "/no-journal", "--system-root",
            fileSystem.path,
        ]
        try Data().write(to: URL(fileURLWithPath: lock))
        try setBattery(false)
    }

    deinit { try? shutDown() }

    /// The file that keeps jobs waiting while somebody has a lock on it.
    var lock: String { fileSystem.folder + "/lock" }
    var log: String { fileSystem.folder + "/btrfs.log" }

    // MARK: On and off

    /// Switches it on: the socket, what goes on after a shutdown, a run that was missed, and what
    /// follows qubesd.
    func boot() throws {
        daemon = try DaemonInside(daemonOptions, clock: clock.machine, standingSeconds: 0.2)
        let after = try UnitFile("qubes-btrfs-continue.service")
        try #require(UnitFile("qubes-btrfsd.socket").words("Wants") == [after.name])
        if UnitRun.mayStart(after, places) {
            let end = try UnitRun(after, places).end()
            try #require(!end.hasFailed, "\(end.errors)")
        }
        let words = try UnitRun.words(UnitFile("qubes-btrfs-follow.service"), places)
        follower = FollowerInside(words, clock: clock.machine)
        try #require(qubesd.waitForListeners(1), "\(daemon?.trouble ?? "")")
    }

    /// Somebody has called the daemon since the machine was switched on.
    var daemonHasStarted: Bool { daemon?.hasStarted == true }

    /// Switches it off: each unit is ended as systemd does.
    func shutDown() throws {
        guard let daemon else { return }
        run?.terminate()
        let status = follower?.stop()
        daemon.stop()
        _ = try run?.end()
        self.daemon = nil
        follower = nil
        run = nil
        try #require(status == 0)
    }

    // MARK: Time

    /// Time goes by; what elapses meanwhile is started, once.
    func go(to text: String) throws { try go(to: Moments.seconds(text)) }

    /// The same, by so many minutes.
    func go(minutes: Int64) throws { try go(to: clock.now + minutes * 60) }

    private func go(to moment: Int64) throws {
        while let start = try nextStart(), start <= moment {
            clock.set(start)
            try lookAround()
            lastElapse = clock.now
            delays.removeFirst()
            try startWeekly()
        }
        clock.set(moment)
        try lookAround()
    }

    /// When the timer starts its unit next; nil while the machine is off.
    private func nextStart() throws -> Int64? {
        guard daemon != nil else { return nil }
        let elapse = try timer.elapse(after: lastElapse)
        let delay = Int64(Double(timer.delaySeconds) * (delays.first ?? 0))
        if elapse > clock.now || timer.isPersistent { return max(elapse + delay, clock.now) }
        return try timer.elapse(after: clock.now) + delay
    }

    /// What follows qubesd looks at the clock.
    private func lookAround() throws {
        guard daemon != nil else { return }
        try tell("connection-established")
    }

    /// As `systemctl start`, by the timer or by hand: one that is active is not started again.
    func startWeekly() throws {
        if run?.isActive == true { return }
        let before = try jobs().count
        let started = try UnitRun(weekly, places)
        run = started
        runs += 1
        _ = try wait("the weekly job is asked for") {
            try !started.isActive || jobs().count > before ? true : nil
        }
    }

    /// qubesd tells those who listen; what they do about it is done afterwards.
    func tell(_ name: String, _ subject: String = "", fields: [(String, String)] = []) throws {
        try #require(
            qubesd.tell(QubesdStandIn.event(name, subject: subject, fields: fields)),
            "what follows qubesd has not come back: \(follower?.text ?? "")")
    }

    // MARK: Power

    func setBattery(_ isOn: Bool) throws {
        let values = [
            "AC/type": "Mains", "AC/online": isOn ? "0" : "1", "BAT0/type": "Battery",
            "BAT0/status": isOn ? "Discharging" : "Charging",
        ]
        for (name, value) in values {
            try Data("\(value)\n".utf8).write(
                to: URL(fileURLWithPath: fileSystem.folder + "/power/" + name))
        }
    }

    // MARK: The service

    /// `qvm-btrfs`, as somebody in dom0 calls it.
    func client(_ words: String...) throws -> Command.Ending {
        try Command.run([Command.program("qvm-btrfs")] + words + ["--socket", places.socket])
    }

    /// All jobs by the service's word, the oldest first.
    func jobs() throws -> [JobRecord] {
        let connection = try UnixSocket.connect(FilePath(places.socket), timeoutSeconds: 60)
        let header = CallHeader(
            service: "btrfs.job.List", argument: "", source: "dom0", target: .name("dom0"))
        QrexecCall.send(header.encoded(), on: connection)
        try connection.shutdownWriting()
        let bytes = try connection.readToEnd(limitBytes: Limits.replyBytes) ?? []
        return try DaemonRun.reply(bytes, as: JobList.self).jobs.reversed()
    }

    /// Waits for a job to be so.
    func job(_ index: Int, _ fits: (JobRecord) -> Bool) throws -> JobRecord {
        try wait("what job \(index) has to come to") {
            let all = try jobs()
            return all.indices.contains(index) && fits(all[index]) ? all[index] : nil
        }
    }

    /// Waits for something, for two minutes at most: workers step back for all else that runs.
    func wait<Result>(_ what: String, for find: () throws -> Result?) throws -> Result {
        let end = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < end {
            if let found = try find() { return found }
            usleep(20_000)
        }
        let jobs = try daemon == nil ? [] : jobs()
        let found = jobs.map {
            "\($0.target) \($0.state.rawValue) \($0.progress?.pacing?.reason?.rawValue ?? "")"
        }
        throw Late(what: "not in time: \(what). There are \(found)")
    }

    struct Late: Error { let what: String }
}
