// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage

/// This qube's own name, by the word of the database that dom0 gives to each qube.
enum OwnName {
    /// The program that reads it, of Qubes' package `qubes-db`.
    static let program = "qubesdb-read"
    /// The longest answer that is taken, in bytes.
    private static let limitBytes = 256

    /// nil where nobody says it, as outside of Qubes.
    static func read(_ transport: QrexecTransport) -> QubeName? {
        for directory in transport.searchPath where directory.hasPrefix("/") {
            if let text = try? read("\(directory)/\(program)", transport.environment) {
                return QubeName(String(text.prefix { $0 != "\n" }))
            }
        }
        return nil
    }

    private static func read(
        _ executable: String, _ environment: [String: String]
    ) throws(Errno) -> String {
        let input = try Descriptor.open("/dev/null", .readOnly)
        let pipe = try Descriptor.pipe()
        let child = try ChildProcess.spawn(
            executable: executable, arguments: ["/name"], environment: environment,
            standardInput: input, standardOutput: pipe.second)
        // Its end comes when nobody holds the writing side any more.
        var output: SharedDescriptor?
        pipe.split { reading, _ in output = SharedDescriptor(reading) }
        let bytes = try output?.descriptor.readToEnd(limitBytes: limitBytes)
        guard try child.wait() == .exited(0) else { throw .noSuchFileOrDirectory }
        return String(decoding: bytes ?? [], as: UTF8.self)
    }
}
