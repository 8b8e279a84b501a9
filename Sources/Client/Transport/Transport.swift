// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// One call of the service.
struct ServiceCall: Equatable, Sendable {
    /// Which service.
    var service: ServiceName
    /// What policy may restrict: the volume, or the job's id; empty for none.
    var argument = ""
    /// The qube it is about; `dom0` for the machine.
    var target: String
    /// The request as JSON.
    var payload: [UInt8]
    /// It is well without an answer: what qrexec's program says of a refusal is shown to nobody.
    var isMute = false

    /// For people: `btrfs.Report+private about work`.
    var text: String {
        "\(service.rawValue)\(argument.isEmpty ? "" : "+\(argument)") about \(target)"
    }
}

/// The way to the service: a socket in dom0, qrexec in a qube.
protocol Transport: Sendable {
    /// Sends a call, all of it.
    func open(_ call: ServiceCall) throws(ClientError) -> any Connection
}

/// A call that was sent and is being answered.
protocol Connection: AnyObject, Sendable {
    /// The next bytes of the answer, at most this many; empty when there are no more.
    func read(maximumBytes: Int) throws(ClientError) -> [UInt8]

    /// To be called once when `read` has given its last.
    /// - Parameter receivedBytes: how long the answer was.
    /// - Throws: why there is no answer, or why it must not be believed.
    func finish(receivedBytes: Int) throws(ClientError)

    /// Ends the call from any thread: a `read` that waits returns.
    func cancel()
}
