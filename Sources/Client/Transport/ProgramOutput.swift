// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls
import SystemPackage

extension QrexecTransport {
    /// What a program of the search path writes, when it ends well and writes no more than this.
    /// - Returns: nil where there is none, or where it says nothing of use.
    func output(of program: String, _ arguments: [String], limitBytes: Int) -> String? {
        for directory in searchPath where directory.hasPrefix("/") {
            if let text = try? run("\(directory)/\(program)", arguments, limitBytes) { return text }
        }
        return nil
    }

    private func run(
        _ executable: String, _ arguments: [String], _ limitBytes: Int
    ) throws(Errno) -> String {
        let input = try Descriptor.open("/dev/null", .readOnly)
        let pipe = try Descriptor.pipe()
        let child = try ChildProcess.spawn(
            executable: executable, arguments: arguments, environment: environment,
            standardInput: input, standardOutput: pipe.second)
        // Its end comes when nobody holds the writing side any more.
        var output: SharedDescriptor?
        pipe.split { reading, _ in output = SharedDescriptor(reading) }
        let bytes = try output?.descriptor.readToEnd(limitBytes: limitBytes)
        // What is longer stays unread, and the program may wait for that.
        guard let bytes else {
            child.kill()
            _ = try child.wait()
            throw .fileTooLarge
        }
        guard try child.wait() == .exited(0) else { throw .noSuchFileOrDirectory }
        return String(decoding: bytes, as: UTF8.self)
    }
}
