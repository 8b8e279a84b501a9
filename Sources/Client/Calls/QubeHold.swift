// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage

/// Jobs on a qube that hold, from the service's first word until this is released or forgotten, or
/// its process ends in whatever way.
final class QubeHold: Sendable {
    private enum State {
        case asked
        case held
        case over(ClientError)
    }

    private let connection: any Connection
    private let state = Monitor(State.asked)

    /// - Parameter connection: a call that was sent. A thread of its own takes what the service
    ///   sends, for as long as it does: it does not wait for one that does not read.
    init(_ connection: any Connection, interruption: Interruption) throws(ClientError) {
        self.connection = connection
        let state = state
        do throws(Errno) {
            try WorkThread.start { Self.read(connection, interruption, state) }
        } catch {
            connection.cancel()
            throw .connection(error)
        }
    }

    deinit { connection.cancel() }

    /// Waits for the service's first word.
    /// - Throws: why there is none.
    func waitUntilHeld() throws(ClientError) {
        let word: Result<Void, ClientError>? = state.wait { state in
            switch state {
            case .asked: nil
            case .held: .success(())
            case .over(let error): .failure(error)
            }
        }
        try word?.get()
    }

    /// The jobs go on. Nothing happens where they do already.
    func release() { connection.cancel() }

    private static func read(
        _ connection: any Connection, _ interruption: Interruption, _ state: Monitor<State>
    ) {
        var stream = AnswerStream(connection, interruption: interruption)
        do throws(ClientError) {
            _ = try stream.reply { (_, _) throws(ClientError) in state.withLock { $0 = .held } }
            // One that is over before its first word has held nothing.
            state.withLock { $0 = .over(.endedEarly) }
        } catch {
            state.withLock { $0 = .over(error) }
        }
    }
}
