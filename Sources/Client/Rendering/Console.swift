// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls
import SystemPackage

/// Where a command's words go: data to standard output, prose and progress to standard error.
///
/// The one place that knows colours, and the one that every text passes: whatever the other side
/// put into a text, a terminal sees nothing but printable characters of it.
final class Console {
    /// What the two streams are, and how to write to them.
    struct Streams {
        /// Standard output may be coloured.
        var outputColours: Bool
        /// Standard error may be coloured.
        var errorColours: Bool
        /// The columns of standard error's terminal; nil when it is none.
        var errorColumns: () -> Int?
        /// Takes a line from standard input when that is a terminal; nil when it is none, or ends.
        var readLine: () -> String? = { nil }
        /// Writes.
        var write: (StandardStream, [UInt8]) throws(Errno) -> Void
    }

    /// How much is said on standard error.
    enum Loudness: Int {
        /// Errors alone.
        case errors
        /// Progress and prose as well.
        case progress
        /// Each call, too.
        case calls
    }

    /// How much is said.
    var loudness = Loudness.progress
    private let streams: Streams
    private var progressLength = 0

    init(_ streams: Streams) { self.streams = streams }

    /// The columns for a line that is redrawn; nil when lines cannot be redrawn.
    var redrawColumns: Int? { streams.errorColumns().map { max($0 - 1, 1) } }

    /// Data, for standard output.
    func data(_ lines: [Line]) throws(ClientError) {
        endProgress()
        try write(lines.map { styled($0, streams.outputColours) }.joined())
    }

    /// JSON or another text of our own making, as it is, with a line end.
    func raw(_ text: String) throws(ClientError) {
        endProgress()
        try write(text + "\n")
    }

    /// Prose, for standard error: in lines of 80 columns, the second and later ones indented.
    func note(_ line: Line) {
        if loudness != .errors { say(line) }
    }

    /// Prose with a command behind it, which is not broken: it will be copied.
    func note(_ text: String, command: String) {
        let line = Line("\(text) \(command)")
        if line.text.sanitised.count <= TextTable.columns { return note(line) }
        note(Line(text))
        note(Line("  \(command)"))
    }

    /// A call, for those who want to know of each.
    func call(_ line: Line) {
        if loudness == .calls { say(line) }
    }

    /// What went wrong. It is always said.
    func error(_ message: String) { say(Line("qvm-btrfs: \(message)", .warning)) }

    /// The parser's own words for what is wrong.
    func error(verbatim line: String) { say(Line(line)) }

    private func say(_ line: Line) {
        endProgress()
        let isNarrow = line.text.sanitised.count <= TextTable.columns
        let lines = isNarrow ? [line] : Line.wrapped(line.text, indent: 2, style: line.style)
        writeError(lines.map { styled($0, streams.errorColours) }.joined())
    }

    /// Asks whoever sits at the terminal.
    /// - Returns: the answer without blanks around it; nil when nobody can be asked.
    func ask(_ question: String) -> String? {
        guard redrawColumns != nil else { return nil }
        endProgress()
        writeError(question)
        let words = streams.readLine()?.split(whereSeparator: \.isWhitespace)
        return words?.joined(separator: " ")
    }

    /// A job's progress: over the last one on a terminal, below it elsewhere.
    func progress(_ text: String) {
        if loudness == .errors { return }
        let text = text.sanitised
        guard let columns = redrawColumns else { return writeError(text + "\n") }
        let shown = text.shortened(to: columns)
        // Spaces over the rest of the last one need nothing of the terminal but a carriage return.
        writeError("\r" + shown.leading(min(progressLength, columns)))
        progressLength = shown.count
    }

    /// Leaves the redrawn line, so that what follows has a line of its own.
    private func endProgress() {
        guard progressLength > 0 else { return }
        progressLength = 0
        writeError("\n")
    }

    private func styled(_ line: Line, _ colours: Bool) -> String {
        let text = line.text.sanitised
        let code =
            switch line.style {
            case .plain: ""
            case .heading: "1"
            case .good: "32"
            case .warning: "33"
            }
        return (colours && !code.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text) + "\n"
    }

    private func write(_ text: String) throws(ClientError) {
        do throws(Errno) {
            try streams.write(.output, Array(text.utf8))
        } catch {
            throw .output(error)
        }
    }

    /// Nobody could be told that standard error fails.
    private func writeError(_ text: String) { try? streams.write(.error, Array(text.utf8)) }
}

extension Console.Streams {
    /// This process's own.
    static func standard(environment: [String: String]) -> Self {
        let wantsColours =
            environment["NO_COLOR"]?.isEmpty != false && environment["TERM"] != "dumb"
        return Self(
            outputColours: wantsColours && StandardStream.output.isTerminal,
            errorColours: wantsColours && StandardStream.error.isTerminal,
            errorColumns: {
                StandardStream.error.isTerminal ? StandardStream.error.columns ?? 80 : nil
            },
            readLine: { StandardStream.isInputTerminal ? Swift.readLine() : nil },
            write: { (stream, bytes) throws(Errno) in try stream.write(bytes) })
    }
}
