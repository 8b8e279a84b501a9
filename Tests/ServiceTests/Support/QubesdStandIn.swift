// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls
import SystemPackage

/// Stands in for qubesd on a real socket: it knows `admin.vm.List` and who may see what.
final class QubesdStandIn: Sendable {
    private let listener: SharedDescriptor

    /// - Parameter visible: by caller, the qubes that it is shown. Others are shown none.
    init(_ path: FilePath, visible: [String: [String]]) throws {
        let listener = SharedDescriptor(try UnixSocket.listen(path, mode: 0o600))
        self.listener = listener
        try WorkThread.start {
            while let connection = try? listener.descriptor.accept() {
                try? Self.serve(connection, visible)
            }
        }
    }

    deinit { listener.descriptor.shutdownBoth() }

    private static func serve(
        _ connection: borrowing Descriptor, _ visible: [String: [String]]
    ) throws {
        let request = try connection.readToEnd(limitBytes: 64 * 1024) ?? []
        let header = String(decoding: request.prefix { $0 != 0 }, as: UTF8.self)
        let words = header.split(separator: " ").map(String.init)
        guard words.count == 4, words[0] == "admin.vm.List+", words[2...] == ["name", "dom0"]
        else { return }
        let lines = visible[words[1], default: []].map { "\($0) class=AppVM state=Halted\n" }
        try connection.send(Array(("0\0" + lines.joined()).utf8))
    }
}
