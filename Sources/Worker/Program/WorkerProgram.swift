// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// The worker: reads one order from standard input, does it, and says on standard output what it
/// does. It can be killed at any moment.
public enum WorkerProgram {
    /// Runs to the end.
    /// - Parameter arguments: the command line: the program's name, then options, each with a path:
    ///   see `WorkerPlaces`; or the word `mount-compression`, and then no order is read.
    /// - Returns: the exit status: 0 when a report or result was written, 1 otherwise.
    public static func run(arguments: [String]) -> Int32 {
        let clock = MachineClock.system
        Signals.ignoreBrokenPipes()
        if arguments.dropFirst().first == CompressionProgram.word {
            return CompressionProgram.run(arguments: Array(arguments.dropFirst(2)), clock)
        }
        // The daemon takes a job without a worker for interrupted, and may start the next one.
        do throws(Errno) { try Parent.dieWithIt() } catch { return 1 }
        Priority.stepBackOnDisk()
        let output = Output(.standardOutput, clock: clock)
        do throws(Failure) {
            let places = try WorkerPlaces(arguments: Array(arguments.dropFirst()))
            output.end(try perform(output, places))
            return 0
        } catch {
            if !error.detail.isEmpty { Log.note(error.detail) }
            output.end(
                .failure(
                    kind: error.kind.rawValue, message: error.message, detail: error.detail))
            return 1
        }
    }

    private static func perform(
        _ output: Output, _ places: WorkerPlaces
    ) throws(Failure) -> WorkerMessage {
        let input: Input
        do throws(Errno) {
            input = Input(try Descriptor.duplicate(of: .standardInput))
        } catch {
            throw Failure(.failed, "the worker could not read its order", detail: "\(error)")
        }
        let order = try readOrder(input)
        let task = WorkerTask(order.work)
        var sites = Sites(order, clock: output.clock)
        // First of all: whatever is asked of one that stands still may not be answered.
        guard sites.areMoving(for: task, output, input) else {
            return .cancelled(JobResult(problems: [], elapsedSeconds: output.elapsedSeconds))
        }
        do throws(BtrfsError) {
            if task.movesReferences { try sites.leaveDegraded() }
        } catch {
            throw Failure(error)
        }
        // A check is there to say it.
        if order.work != .check, let problem = sites.problemOfAllSelected(order) {
            throw Failure(unfit: problem)
        }
        let cache = try places.openCache()
        sites.openKept(in: try places.openState(), for: task)
        try open(task, of: order, &sites, cache, places)
        // A check is there to say it; what a job was asked for may all be damaged.
        if order.work != .check, let problem = sites.problemOfAllSelected(order) {
            throw Failure(unfit: problem)
        }
        // Not every kernel tells; then they are looked for now and then.
        let starts =
            task.movesReferences ? try? ProgramStarts(of: OthersWatch.senders) : nil
        let landlock = try Ties.tie(for: order.work)
        // Bound as all others are, and of the weight that they are about to give up.
        let foreground = task.movesReferences ? try? ForegroundThread() : nil
        Priority.stepBackOnCPU()
        switch task {
        case .report, .check:
            let governor = try govern(order, sites, output, input, places)
            defer { governor.stop() }
            return try account(order, sites, output, governor, landlock, places)
        case .newData(let setting):
            return .newData(
                try NewDataWork(order: order, sites: sites, setting: setting).run())
        case .estimate:
            let governor = try govern(order, sites, output, input, places)
            defer { governor.stop() }
            return try EstimateWork(
                order: order, sites: sites, output: output, governor: governor
            ).run()
        case .verify(let accepts):
            let governor = try govern(order, sites, output, input, places)
            defer { governor.stop() }
            return VerifyWork(
                order: order, sites: sites, accepts: accepts, output: output, governor: governor
            ).run()
        case .job(let job):
            let governor = try govern(order, sites, output, input, places)
            defer { governor.stop() }
            return try JobWork(
                job: job, order: order, sites: sites, output: output, governor: governor,
                lock: JobLock(path: places.lockFile), starts: starts,
                foreground: foreground
            ).run()
        }
    }

    /// Opens what the work needs to write to: nothing can be opened for it later.
    private static func open(
        _ task: WorkerTask, of order: WorkerOrder, _ sites: inout Sites,
        _ cache: SharedDescriptor?, _ places: WorkerPlaces
    ) throws(Failure) {
        do throws(BtrfsError) {
            switch task {
            case .report, .check: sites.openReportSpills(in: cache)
            case .newData, .verify: break
            case .estimate: try sites.openCaches(in: cache, places)
            case .job:
                if order.risksReadOnly != true { try sites.leaveDamaged() }
                try sites.openScratches(lanes: JobWork.lanes)
                try sites.openCaches(in: cache, places)
            }
        } catch {
            throw Failure(error, among: sites)
        }
    }

    /// A report or a check.
    private static func account(
        _ order: WorkerOrder, _ sites: Sites, _ output: Output, _ governor: Governor,
        _ landlock: Landlock.Outcome, _ places: WorkerPlaces
    ) throws(Failure) -> WorkerMessage {
        do throws(BtrfsError) {
            if order.work == .check {
                return .check(
                    try CheckWork(
                        order: order, sites: sites, governor: governor, landlock: landlock,
                        lock: JobLock(path: places.lockFile)
                    ).run())
            }
            return .report(
                try ReportWork(order: order, sites: sites, output: output, governor: governor)
                    .run())
        } catch {
            throw Failure(error, among: sites)
        }
    }

    /// Starts what holds, slows and cancels a job, and slows an account. Its threads are bound by
    /// what the worker has forbidden itself.
    private static func govern(
        _ order: WorkerOrder, _ sites: Sites, _ output: Output, _ input: Input,
        _ places: WorkerPlaces
    ) throws(Failure) -> Governor {
        let neighbours = Neighbours(
            groups: places.controlGroups,
            imageFolders: Set(
                order.pools.compactMap {
                    (try? Descriptor.status(of: FilePath($0.directory)))?.identity
                }))
        let deadline = order.forSeconds.map { seconds in
            Deadline(forSeconds: seconds) { output.elapsedSeconds }
        }
        output.follow(deadline)
        let governor = Governor(
            sensors: Governor.Sensors(
                othersWaitedSeconds: { neighbours.waitedSeconds() },
                isOnBattery: {
                    PowerSupply.isOnBattery(PowerSupply.all(in: places.powerSupplies))
                }),
            // Somebody waits for an account, and it is over soon.
            mayUseBattery: order.onBattery || order.work == .report || order.work == .check,
            deadline: deadline, clock: output.clock,
            report: { output.pacing($0) })
        do throws(Errno) {
            try input.follow { governor.obey($0) }
            try governor.start()
        } catch {
            throw Failure(.failed, "the worker could not start a thread", detail: "\(error)")
        }
        return governor
    }

    private static func readOrder(_ input: Input) throws(Failure) -> WorkerOrder {
        let bytes: [UInt8]?
        do throws(Errno) {
            bytes = try input.order()
        } catch {
            throw Failure(.failed, "the worker could not read its order", detail: "\(error)")
        }
        return try Self.order(bytes ?? [])
    }

    private struct Form: Decodable {
        var form: Int?
    }

    /// The order that these bytes are. One of another form may leave out, in this worker's eyes,
    /// what keeps images from harm, and is taken for none.
    static func order(_ bytes: [UInt8]) throws(Failure) -> WorkerOrder {
        let data = Data(bytes)
        let form = try? JSONDecoder().decode(Form.self, from: data)
        if let form, form.form != WorkerOrder.currentForm {
            throw Failure(
                .failed,
                "the service that runs and its worker are of different releases; once no job runs,"
                    + " 'systemctl restart qubes-btrfsd' in dom0 starts the one that is installed",
                detail: "the order's form is \(form.form.map(String.init) ?? "none"), the worker's"
                    + " \(WorkerOrder.currentForm)")
        }
        guard let order = try? JSONDecoder().decode(WorkerOrder.self, from: data) else {
            throw Failure(
                .failed, "the worker got no order; qubes-btrfsd starts it", detail: "bad order")
        }
        return order
    }
}
