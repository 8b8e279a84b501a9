// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls
internal import SystemPackage

/// Takes lines out of a pipe, none longer than its bound.
struct LineReader {
    /// Why there are no more lines.
    enum Failure: Error {
        /// A line is longer than the bound.
        case tooLong
        /// The pipe could not be read.
        case unreadable(Errno)
    }

    private let source: SharedDescriptor
    private let lineBytes: Int
    private var buffer: [UInt8] = []
    private var searched = 0
    private var isAtEnd = false

    /// - Parameter lineBytes: the longest line, its end left out.
    init(_ source: SharedDescriptor, lineBytes: Int) {
        self.source = source
        self.lineBytes = lineBytes
    }

    /// The next line without its end; nil at the end of the pipe. What stands behind the last line
    /// end is a line that a dying worker did not finish, and is dropped.
    mutating func next() throws(Failure) -> [UInt8]? {
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                guard end <= lineBytes else { throw .tooLong }
                defer {
                    buffer.removeFirst(end + 1)
                    searched = 0
                }
                return Array(buffer[..<end])
            }
            searched = buffer.count
            guard searched <= lineBytes else { throw .tooLong }
            if isAtEnd { return nil }
            do throws(Errno) {
                let piece = try source.descriptor.read(maximumBytes: 64 * 1024)
                isAtEnd = piece.isEmpty
                buffer += piece
            } catch {
                throw .unreadable(error)
            }
        }
    }
}
