// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// The daemon's side of standard input: an order in one line, then a word a line.
final class Input: Sendable {
    /// The longest line after the order, in bytes: the longest word has six.
    static let controlBytes = 16

    private let descriptor: SharedDescriptor
    /// What was read beyond the last line that was taken.
    private let rest = Monitor<[UInt8]>([])
    /// Words that came before there was anybody to tell them to.
    private let early = Monitor<[WorkerControl]>([])

    init(_ descriptor: consuming Descriptor) { self.descriptor = SharedDescriptor(descriptor) }

    /// The order, without its line end; it may end with the input.
    /// - Returns: nil when it is longer than the wire allows.
    func order() throws(Errno) -> [UInt8]? { try line(limitBytes: Limits.orderBytes) }

    /// Calls `body` with each word that comes from now on, on a thread of its own. Whoever starts
    /// us by hand closes the input behind the order: then there are none.
    func follow(_ body: @escaping @Sendable (WorkerControl) -> Void) throws(Errno) {
        try WorkThread.start { [self] in
            for word in early.withLock({ $0 }) { body(word) }
            while let line = try? line(limitBytes: Self.controlBytes), !line.isEmpty {
                if let word = WorkerControl(rawValue: String(decoding: line, as: UTF8.self)) {
                    body(word)
                }
            }
        }
    }

    /// The next word, for whoever has nobody yet to tell it to: `follow` begins with it.
    /// - Returns: nil when the time went by first.
    func word(withinSeconds seconds: Double) -> WorkerControl? {
        let hasLine = rest.withLock { $0.contains(UInt8(ascii: "\n")) }
        guard hasLine || descriptor.descriptor.waitToRead(timeoutSeconds: seconds) else {
            return nil
        }
        let line = try? line(limitBytes: Self.controlBytes)
        guard let line, let word = WorkerControl(rawValue: String(decoding: line, as: UTF8.self))
        else {
            // The input has ended, and would be found readable all the time.
            Pause.milliseconds(Int(seconds * 1000))
            return nil
        }
        early.withLock { $0.append(word) }
        return word
    }

    /// The next line; what stands behind the last line end counts as one. Empty at the end.
    private func line(limitBytes: Int) throws(Errno) -> [UInt8]? {
        var bytes = rest.withLock { rest in
            defer { rest = [] }
            return rest
        }
        var searched = 0
        while true {
            if let end = bytes[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                rest.withLock { $0 = Array(bytes[(end + 1)...]) }
                return end <= limitBytes ? Array(bytes[..<end]) : nil
            }
            searched = bytes.count
            guard bytes.count <= limitBytes else { return nil }
            let piece = try descriptor.descriptor.read(maximumBytes: 64 * 1024)
            if piece.isEmpty { return bytes }
            bytes += piece
        }
    }
}
