// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// The real worker with its input held open, as the daemon starts it.
final class WorkerSession {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var buffer = Data()
    private(set) var messages: [WorkerMessage] = []

    /// - Parameter prelude: lines of shell that the worker's process does before it becomes one.
    init(_ order: WorkerOrder, options: [String] = [], prelude: String = ":") throws {
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments =
            ["-c", "\(prelude)\nexec \"$0\" \"$@\"", Command.program("qubes-btrfs-worker")]
            + options
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(
            contentsOf: try JSONEncoder().encode(order) + Data("\n".utf8))
    }

    deinit { kill() }

    var identifier: Int32 { process.processIdentifier }

    /// Says a word to it.
    func say(_ words: WorkerControl...) { Self.say(words, through: input) }

    /// Says words to a worker. One that has ended meanwhile does not hear them: its last message
    /// tells.
    static func say(_ words: [WorkerControl], through input: Pipe) {
        // Whoever writes to a pipe that nobody reads is killed, unless the signal is held back.
        var broken = sigset_t()
        var before = sigset_t()
        unsafe sigemptyset(&broken)
        unsafe sigaddset(&broken, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &broken, &before)
        for word in words {
            try? input.fileHandleForWriting.write(contentsOf: Data("\(word.rawValue)\n".utf8))
        }
        var now = timespec()
        unsafe _ = sigtimedwait(&broken, nil, &now)
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
    }

    /// Its next message; nil when it has ended.
    func next() throws -> WorkerMessage? {
        while true {
            if let end = buffer.firstIndex(of: 0x0a) {
                let line = buffer[buffer.startIndex..<end]
                let message = try JSONDecoder().decode(WorkerMessage.self, from: Data(line))
                buffer = Data(buffer[(end + 1)...])
                messages.append(message)
                return message
            }
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { return nil }
            buffer.append(data)
        }
    }

    /// The next progress that fits; nil when it ends first.
    @discardableResult
    func progress(until fits: (JobProgress) -> Bool) throws -> JobProgress? {
        while let message = try next() {
            if case .progress(let progress) = message, fits(progress) { return progress }
        }
        return nil
    }

    /// Its last message.
    func last() throws -> WorkerMessage? {
        while try next() != nil {}
        process.waitUntilExit()
        return messages.last
    }

    /// Whatever it does: a worker that is paused would never end by itself.
    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

extension JobProgress {
    /// References are being moved, and some of it is done.
    var isHalfWay: Bool { stage == .execute && doneBytes > 0 }
}
