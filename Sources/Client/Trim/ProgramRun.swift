// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls
import SystemPackage

/// How a program that was run ended, and what it wrote.
struct ProgramEnd: Sendable {
    /// Why it is over.
    enum Reason: Equatable, Sendable {
        /// It ended with this status.
        case exited(Int32)
        /// A signal of somebody else ended it.
        case killed
        /// Its time was over, or somebody asked us to end, and it was ended.
        case late
        /// It wrote more than is taken, and was ended.
        case tooLong
    }

    var reason: Reason
    var output: [UInt8] = []
}

extension QrexecTransport {
    /// Runs a program of the search path with nothing to read, for so long and no longer. What it
    /// writes to standard error goes nowhere: another qube may have written it.
    /// - Parameters:
    ///   - outputBytes: how much of its output is taken; nil when nobody wants any of it.
    ///   - interruption: what ends it before its time; nil for nothing.
    /// - Throws: ENOENT where there is none.
    func run(
        _ program: String, _ arguments: [String], outputBytes: Int?, limitSeconds: Double,
        interruption: Interruption? = nil
    ) throws(Errno) -> ProgramEnd {
        let output = try RunOutput(limitBytes: outputBytes)
        let child = try spawn(program, arguments, output)
        output.writing = nil
        let end = Monitor<ProgramEnd?>(nil)
        do throws(Errno) {
            try WorkThread.start {
                let bytes = output.read()
                if bytes == nil { child.kill() }
                let ending = try? child.wait()
                let reason: ProgramEnd.Reason =
                    switch ending {
                    case _ where bytes == nil: .tooLong
                    case .exited(let status): .exited(status)
                    default: .killed
                    }
                end.withLock { $0 = ProgramEnd(reason: reason, output: bytes ?? []) }
            }
        } catch {
            child.kill()
            _ = try child.wait()
            throw error
        }
        return wait(for: end, child, limitSeconds, interruption)
    }

    private func wait(
        for end: Monitor<ProgramEnd?>, _ child: ChildProcess, _ limitSeconds: Double,
        _ interruption: Interruption?
    ) -> ProgramEnd {
        let wait = { end.wait(timeoutSeconds: limitSeconds) { $0 } }
        if let found = interruption?.cancelling({ child.kill() }, while: wait) ?? wait() {
            return interruption?.isInterrupted == true ? ProgramEnd(reason: .late) : found
        }
        child.kill()
        // Nothing survives SIGKILL for long; what it wrote is nobody's concern any more.
        _ = end.wait { $0 }
        return ProgramEnd(reason: .late)
    }

    private func spawn(
        _ program: String, _ arguments: [String], _ output: RunOutput
    ) throws(Errno) -> ChildProcess {
        let input = try Descriptor.open("/dev/null", .readOnly)
        guard let writing = output.writing else { throw .badFileDescriptor }
        for directory in searchPath where directory.hasPrefix("/") {
            do throws(Errno) {
                return try ChildProcess.spawn(
                    executable: "\(directory)/\(program)", arguments: arguments,
                    environment: environment, standardInput: input,
                    standardOutput: writing.descriptor, isMute: true)
            } catch .noSuchFileOrDirectory {
            } catch .notDirectory {
            } catch .permissionDenied {
            }
        }
        throw .noSuchFileOrDirectory
    }
}

/// Where a program's output goes: to us, or nowhere.
private final class RunOutput: @unchecked Sendable {
    // Unchecked: `writing` is set before the reading thread starts, which never touches it.
    var writing: SharedDescriptor?
    private var reading: SharedDescriptor?
    private let limitBytes: Int

    init(limitBytes: Int?) throws(Errno) {
        self.limitBytes = limitBytes ?? 0
        if limitBytes == nil {
            writing = SharedDescriptor(try Descriptor.open("/dev/null", .writeOnly))
            return
        }
        var ends: [SharedDescriptor] = []
        try Descriptor.pipe().split { (reading, writing) throws(Errno) in
            ends = [SharedDescriptor(reading), SharedDescriptor(writing)]
        }
        reading = ends[0]
        writing = ends[1]
    }

    /// All of it; nil when it is more than is taken.
    func read() -> [UInt8]? {
        guard let reading else { return [] }
        do throws(Errno) {
            return try reading.descriptor.readToEnd(limitBytes: limitBytes)
        } catch {
            return []
        }
    }
}
