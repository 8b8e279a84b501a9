// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls
import SystemPackage

/// Shows something on the desktop of whoever runs the client (`org.freedesktop.Notifications`), by
/// programs that desktops have. Where there is none nothing happens, and it is said why.
struct Notifier {
    let environment: [String: String]
    let console: Console

    /// What such a program may know of our environment.
    private static let passedOn = [
        "PATH", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY",
    ]

    func show(_ notification: JobNotification) {
        guard hasSession else {
            return warn("there is no session bus")
        }
        for (program, arguments) in notification.commands {
            switch run(program, arguments) {
            case nil: continue
            case .exited(0): return
            default: return warn("'\(program)' could not show it")
            }
        }
        warn("there is neither 'notify-send' nor 'gdbus'")
    }

    private func warn(_ reason: String) {
        console.note(Line("No notification: \(reason).", .warning))
    }

    private var hasSession: Bool {
        if environment["DBUS_SESSION_BUS_ADDRESS"]?.isEmpty == false { return true }
        guard let folder = environment["XDG_RUNTIME_DIR"], !folder.isEmpty else { return false }
        return (try? Descriptor.status(of: FilePath(folder).appending("bus"))) != nil
    }

    /// - Returns: nil where there is no such program.
    private func run(_ program: String, _ arguments: [String]) -> ChildProcess.Ending? {
        let folders = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        for folder in folders where folder.hasPrefix("/") {
            do throws(Errno) {
                let input = try Descriptor.open("/dev/null", .readOnly)
                let output = try Descriptor.open("/dev/null", .writeOnly)
                return try ChildProcess.spawn(
                    executable: "\(folder)/\(program)", arguments: arguments,
                    environment: environment.filter { Self.passedOn.contains($0.key) },
                    standardInput: input, standardOutput: output, isMute: true
                ).wait()
            } catch {
            }
        }
        return nil
    }
}
