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
    /// - Parameter arguments: the command line: the program's name, and then nothing or
    ///   `--cache-directory PATH`.
    /// - Returns: the exit status: 0 when a report or result was written, 1 otherwise.
    public static func run(arguments: [String]) -> Int32 {
        Signals.ignoreBrokenPipes()
        // The daemon takes a job without a worker for interrupted, and may start the next one.
        do throws(Errno) { try Parent.dieWithIt() } catch { return 1 }
        Priority.becomeIdle()
        let output = Output(.standardOutput)
        do throws(Failure) {
            output.send(try perform(output, cache: try cacheDirectory(arguments)))
            return 0
        } catch {
            if !error.detail.isEmpty { Log.note(error.detail) }
            output.send(
                .failure(
                    kind: error.kind.rawValue, message: error.message, detail: error.detail))
            return 1
        }
    }

    private static func cacheDirectory(
        _ arguments: [String]
    ) throws(Failure) -> SharedDescriptor? {
        if arguments.count <= 1 { return nil }
        guard arguments.count == 3, arguments[1] == "--cache-directory" else {
            throw Failure(.failed, "the worker was started wrongly; qubes-btrfsd starts it")
        }
        do throws(Errno) {
            return SharedDescriptor(
                try Descriptor.open(FilePath(arguments[2]), [.readOnly, .directory]))
        } catch {
            throw Failure(
                .failed, "the cache directory cannot be opened; dom0's journal has the detail",
                detail: "\(arguments[2]): \(error)")
        }
    }

    private static func perform(
        _ output: Output, cache: SharedDescriptor?
    ) throws(Failure) -> WorkerMessage {
        let order = try readOrder()
        var sites = Sites(order)
        if let problem = sites.problemOfAllSelected(order) {
            throw Failure(.unsuitablePool, "\(problem.subject): \(problem.message)")
        }
        return try perform(order, &sites, output, cache)
    }

    private static func perform(
        _ order: WorkerOrder, _ sites: inout Sites, _ output: Output,
        _ cache: SharedDescriptor?
    ) throws(Failure) -> WorkerMessage {
        do throws(BtrfsError) {
            switch order.work {
            case .report, .check: sites.openSpills(in: cache)
            case .newData: break
            case .estimate: try sites.openCaches(in: cache)
            case .compress, .dedupe, .optimize, .defragment:
                try sites.openScratches(lanes: JobWork.lanes)
                try sites.openCaches(in: cache)
            }
        } catch {
            throw Failure(error)
        }
        try forbidWriting(exceptBeneath: cache)
        switch order.work {
        case .report:
            do throws(BtrfsError) {
                return .report(try ReportWork(order: order, sites: sites, output: output).run())
            } catch {
                throw Failure(error)
            }
        case .check:
            do throws(BtrfsError) {
                return .check(try CheckWork(order: order, sites: sites).run())
            } catch {
                throw Failure(error)
            }
        case .newData(let setting):
            return .newData(
                try NewDataWork(order: order, sites: sites, setting: setting).run())
        case .estimate:
            return .result(try EstimateWork(order: order, sites: sites, output: output).run())
        case .compress, .dedupe, .optimize, .defragment:
            return .result(try JobWork(order: order, sites: sites, output: output).run())
        }
    }

    /// From here on nothing can be opened for writing but in the cache directory: a bug could not
    /// write to an image. Before any thread is started, as Landlock binds the calling thread and
    /// its children.
    private static func forbidWriting(exceptBeneath cache: SharedDescriptor?) throws(Failure) {
        do throws(Errno) {
            if try Sandbox.forbidWriting(exceptBeneath: cache.map { [$0] } ?? []) == .unavailable {
                Log.note("this kernel has no Landlock: images are protected by open flags alone")
            }
        } catch {
            throw Failure(
                .failed, "the worker could not forbid itself to write; nothing was done",
                detail: "landlock: \(error)")
        }
    }

    private static func readOrder() throws(Failure) -> WorkerOrder {
        let bytes: [UInt8]?
        do throws(Errno) {
            bytes = try Descriptor.duplicate(of: .standardInput).readToEnd(
                limitBytes: Limits.orderBytes)
        } catch {
            throw Failure(.failed, "the worker could not read its order", detail: "\(error)")
        }
        guard let bytes, let order = try? JSONDecoder().decode(WorkerOrder.self, from: Data(bytes))
        else {
            throw Failure(
                .failed, "the worker got no order; qubes-btrfsd starts it", detail: "bad order")
        }
        return order
    }
}
