// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls
internal import SystemPackage

/// Tells systemd that calls are answered from now on (`sd_notify(3)`): whoever starts the unit then
/// knows that it has read its history, and not only that a process is there.
enum Readiness {
    /// - Parameter environment: `NOTIFY_SOCKET` says where; nobody is told without it.
    static func tell(environment: [String: String]) {
        guard let path = environment["NOTIFY_SOCKET"], path.hasPrefix("/") else { return }
        _ = try? UnixSocket.sendDatagram(Array("READY=1".utf8), to: FilePath(path))
    }
}
