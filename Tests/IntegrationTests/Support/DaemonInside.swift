// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage

@testable import Service

/// The daemon in this process, so that it can be handed a clock; its workers are real ones. As with
/// systemd the socket is there first, and the first call starts it.
final class DaemonInside: Sendable {
    private struct State {
        var daemon: Daemon?
        var isOver = false
        var trouble: String?
    }

    private let listener: SharedDescriptor
    private let state = Monitor(State())

    /// - Parameters:
    ///   - options: those of the daemon's own command line.
    ///   - standingSeconds: how often it looks whether a job may go on.
    init(_ options: [String], clock: MachineClock, standingSeconds: Double) throws {
        let settings = try Settings(arguments: options)
        var bounds = Bounds()
        bounds.standingSeconds = standingSeconds
        // While the test's clock stands, nothing that is kept for a while would ever be asked anew.
        bounds.visibilitySeconds = 0
        let listener = SharedDescriptor(
            try UnixSocket.listen(settings.socket ?? "", mode: 0o600))
        self.listener = listener
        let state = state
        try WorkThread.start { [bounds] in
            var call = pollfd(fd: listener.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            unsafe poll(&call, 1, -1)
            state.withLock { state in
                if state.isOver { return }
                do {
                    state.daemon = try Daemon(
                        settings, listener: listener.descriptor.duplicate(), clock: clock,
                        bounds: bounds)
                } catch {
                    state.trouble = "\(error)"
                    listener.descriptor.shutdownBoth()
                }
            }
        }
    }

    /// Somebody has called, and it has started.
    var hasStarted: Bool { state.withLock { $0.daemon != nil } }

    /// Why it did not start.
    var trouble: String? { state.withLock { $0.trouble } }

    /// Ends it as its unit does: what SIGTERM leads to.
    func stop() {
        let daemon = state.withLock { state in
            state.isOver = true
            defer { state.daemon = nil }
            return state.daemon
        }
        listener.descriptor.shutdownBoth()
        daemon?.stop()
    }
}
