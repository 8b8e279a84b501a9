// SPDX-License-Identifier: GPL-2.0-or-later

/// The programs that a text of the shell starts by a name of their own: the first words of its
/// commands, without the shell's words, its functions and what a variable names.
///
/// It knows as much of the shell's grammar as scripts of ours use: quotes, comments, `$(...)`,
/// `case`, redirections. What it does not know it takes for a program, so that a test complains.
func shellPrograms(_ text: String) -> Set<String> {
    var reader = ShellReader(text)
    reader.read()
    return reader.programs.subtracting(reader.functions).subtracting(ShellReader.builtins)
}

private struct ShellReader {
    static let builtins: Set<String> = [
        ".", ":", "[", "break", "cd", "command", "continue", "declare", "echo", "eval", "exec",
        "exit",
        "export", "false", "kill", "local", "mapfile", "printf", "pwd", "read", "return", "set",
        "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unset", "wait",
    ]
    /// After these stands another command.
    private static let openers: Set<String> = [
        "!", "{", "}", "do", "done", "elif", "else", "exec", "fi", "if", "then", "time", "until",
        "while", "nice", "xargs", "env",
    ]

    private let text: [Character]
    private var index = 0
    private var isCommand = true
    /// Depths of `case`, and whether its patterns are being read.
    private var patterns: [Bool] = []
    private(set) var programs: Set<String> = []
    private(set) var functions: Set<String> = []

    init(_ text: String) { self.text = Array(text) }

    private var isPattern: Bool { patterns.last == true }

    /// Reads to the end, or to the `)` that closes a `$(`.
    mutating func read(isNested: Bool = false) {
        isCommand = true
        let outer = patterns
        patterns = []
        defer {
            patterns = outer
            isCommand = false
        }
        var depth = 0
        while index < text.count {
            switch text[index] {
            case "\n", ";", "&", "|":
                if text[index...].starts(with: ";;"), !patterns.isEmpty {
                    patterns[patterns.count - 1] = true
                }
                isCommand = true
                index += 1
            case " ", "\t": index += 1
            case "\\" where text[index...].starts(with: "\\\n"): index += 2
            case "#": skip { $0 != "\n" }
            case "<", ">": redirection()
            case "(":
                depth += isPattern ? 0 : 1
                isCommand = true
                index += 1
            case ")":
                index += 1
                if isPattern {
                    patterns[patterns.count - 1] = false
                } else if depth > 0 {
                    depth -= 1
                } else if isNested {
                    return
                }
                isCommand = true
            default: word()
            }
        }
    }

    private mutating func skip(while isSkipped: (Character) -> Bool) {
        while index < text.count, isSkipped(text[index]) { index += 1 }
    }

    private mutating func redirection() {
        let wasCommand = isCommand
        skip { "<>&|".contains($0) }
        if index < text.count, text[index] == "(" {
            index += 1
            read(isNested: true)
        } else {
            skip { $0 == " " }
            _ = token()
        }
        isCommand = wasCommand
    }

    private mutating func word() {
        let isFirst = isCommand
        let word = token()
        if word == "esac" { _ = patterns.popLast() }
        guard isFirst, !isPattern else {
            if word == "in", patterns.last == false, !isFirst {
                patterns[patterns.count - 1] = true
            }
            return
        }
        if index < text.count, text[index...].starts(with: "()") {
            functions.insert(word)
            index += 2
            return
        }
        // A redirection's number, or an option of a word before a command.
        if word.allSatisfy(\.isNumber) || word.hasPrefix("-") { return isCommand = true }
        isCommand = false
        switch word {
        case "case": patterns.append(false)
        case "for", "in", "esac", "[[": break
        default: start(word)
        }
    }

    private mutating func start(_ word: String) {
        if Self.openers.contains(word) || isAssignment(word) { isCommand = true }
        if word.contains("=") || Self.shellWords.contains(word) { return }
        let isNamed = word.allSatisfy { $0.isLetter || $0.isNumber || "-_./+[:".contains($0) }
        if isNamed, !word.contains("/") { programs.insert(word) }
        if isNamed, word.hasPrefix("/") {
            programs.insert(String(word.split(separator: "/").last ?? ""))
        }
    }

    private static let shellWords = openers.subtracting(["nice", "xargs", "env", "exec"])

    private func isAssignment(_ word: String) -> Bool {
        guard let sign = word.firstIndex(of: "=") else { return false }
        return word[..<sign].allSatisfy { $0.isLetter || $0.isNumber || "_+".contains($0) }
    }

    /// A word with its quotes gone; what a variable or a command stands for becomes `$`.
    private mutating func token() -> String {
        var word = ""
        while index < text.count {
            switch text[index] {
            case " ", "\t", "\n", ";", "&", "|", "<", ">", ")": return word
            case "(":
                guard word.hasSuffix("=") else { return word }
                // A list.
                index += 1
                while index < text.count, text[index] != ")" {
                    _ = token()
                    skip { " \t\n".contains($0) }
                }
                index += 1
            case "'":
                index += 1
                let start = index
                skip { $0 != "'" }
                word += String(text[start..<index])
                index += 1
            case "\"": doubleQuotes(&word)
            case "\\":
                if index + 1 < text.count { word.append(text[index + 1]) }
                index += 2
            case "$": variable(&word)
            default:
                word.append(text[index])
                index += 1
            }
        }
        return word
    }

    private mutating func doubleQuotes(_ word: inout String) {
        index += 1
        while index < text.count, text[index] != "\"" {
            switch text[index] {
            case "$": variable(&word)
            case "\\":
                if index + 1 < text.count { word.append(text[index + 1]) }
                index += 2
            default:
                word.append(text[index])
                index += 1
            }
        }
        index += 1
    }

    private mutating func variable(_ word: inout String) {
        word.append("$")
        index += 1
        guard index < text.count else { return }
        if text[index...].starts(with: "((") {
            while index < text.count, !text[index...].starts(with: "))") { index += 1 }
            index += 2
        } else if text[index] == "(" {
            index += 1
            let wasCommand = isCommand
            read(isNested: true)
            isCommand = wasCommand
        } else if text[index] == "{" {
            var depth = 0
            repeat {
                depth += text[index] == "{" ? 1 : text[index] == "}" ? -1 : 0
                index += 1
            } while index < text.count && depth > 0
        }
    }
}
