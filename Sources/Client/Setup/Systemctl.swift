// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls
import SystemPackage

/// systemd, by its own program.
struct Systemctl {
    /// Where it is on every system that has it.
    static let path: FilePath = "/usr/bin/systemctl"
    /// The most that it may have to say.
    private static let outputBytes = 64 * 1024

    let program: FilePath

    /// How a unit stands.
    /// - Parameter unloadedIsOff: one that is masked or not there is off; else it is an error.
    func standing(
        of unit: SetupUnit, unloadedIsOff: Bool = false
    ) throws(ClientError) -> UnitStanding {
        let name = unit.rawValue
        let words = ["show", "--property=LoadState,UnitFileState,ActiveState", name]
        var values: [Substring: Substring] = [:]
        for line in try run(words, unit: name).split(separator: "\n") {
            guard let sign = line.firstIndex(of: "=") else { continue }
            values[line[..<sign]] = line[line.index(after: sign)...]
        }
        guard values["LoadState"] == "loaded" else {
            if unloadedIsOff { return UnitStanding(isEnabled: false, isActive: false) }
            let state = values["LoadState"].map(String.init)?.sanitised ?? "nothing"
            throw .unit(
                name, command: command(words),
                reason: "systemd says '\(state)' of the unit, not 'loaded'")
        }
        return UnitStanding(
            isEnabled: values["UnitFileState"] == "enabled",
            isActive: ["active", "activating", "reloading"].contains(values["ActiveState"]))
    }

    /// How all of them stand.
    func standings(
        unloadedIsOff: Bool = false
    ) throws(ClientError) -> [SetupUnit: UnitStanding] {
        var standings: [SetupUnit: UnitStanding] = [:]
        for unit in SetupUnit.allCases {
            standings[unit] = try standing(of: unit, unloadedIsOff: unloadedIsOff)
        }
        return standings
    }

    /// Does a step, and waits for it.
    func perform(_ step: SetupStep) throws(ClientError) {
        _ = try run(["--quiet"] + step.arguments, unit: step.unit)
    }

    private func command(_ words: [String]) -> String {
        (["systemctl"] + words).joined(separator: " ")
    }

    private func run(_ words: [String], unit: String) throws(ClientError) -> String {
        let ending: ChildProcess.Ending
        var bytes: [UInt8]?
        do throws(Errno) {
            let input = try Descriptor.open("/dev/null", .readOnly)
            let pipe = try Descriptor.pipe()
            let child = try ChildProcess.spawn(
                executable: program.string, arguments: words,
                environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"],
                standardInput: input, standardOutput: pipe.second)
            var output: SharedDescriptor?
            pipe.split { reading, _ in output = SharedDescriptor(reading) }
            bytes = try output?.descriptor.readToEnd(limitBytes: Self.outputBytes)
            if bytes == nil { child.kill() }
            ending = try child.wait()
        } catch {
            throw .unit(
                unit, command: command(words), reason: "\(program) does not start: \(error)")
        }
        guard ending == .exited(0), let bytes else {
            let reason =
                switch ending {
                case .exited(let status): "it ended with status \(status)"
                case .killed(let signal): "it was ended by signal \(signal)"
                }
            throw .unit(unit, command: command(words), reason: reason)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
