// SPDX-License-Identifier: GPL-2.0-or-later
public import SystemPackage

/// Why a call of qubesd gave nothing to use.
public struct QubesdError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Reason: Equatable, Sendable {
        /// A name in the call that no qube, pool or volume can have; nothing was sent.
        case invalidName(String)
        /// Nobody answers at the socket.
        case unavailable(Errno)
        /// Nothing came, or not all of it, within `Qubesd.timeoutSeconds`.
        case timedOut
        /// The other end went away before it had taken the call.
        case hungUp
        /// The socket failed.
        case failed(Errno)
        /// The reply is longer than `Qubesd.replyBytes`.
        case tooLong
        /// An empty reply: denied, or qubesd failed.
        case refused
        /// An exception: its type, and its message with the fields left open. Both are escaped.
        case exception(kind: String, message: String)
        /// The reply is no envelope, or its content is not what the call gives.
        case malformed(String)
    }

    /// What was wrong.
    public let reason: Reason
    /// The call, as `admin.vm.List for mgmt`.
    public let call: String

    init(_ reason: Reason, _ call: String) {
        self.reason = reason
        self.call = call
    }

    /// One sentence, with what to do where there is something to do.
    public var description: String { "qubesd, \(call): \(explanation)" }

    private var explanation: String {
        switch reason {
        case .invalidName(let name): "\(name) cannot be a name"
        case .unavailable(let errno):
            "no answer at its socket (\(errno)); is the service running? systemctl status qubesd"
        case .timedOut: "no answer in time; is the service stuck? systemctl status qubesd"
        case .hungUp: "it hung up; is the service starting again? systemctl status qubesd"
        case .failed(let errno): "the socket failed: \(errno)"
        case .tooLong: "the reply is longer than \(Qubesd.replyBytes) bytes"
        case .refused: "refused without a word; journalctl -u qubesd may say why"
        case .exception(let kind, let message): "\(kind): \(message)"
        case .malformed(let what): "a reply that cannot be: \(what)"
        }
    }
}
