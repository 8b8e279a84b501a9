// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// A function of a source, and how many lines it takes from its first to its closing brace.
struct FunctionLength: Equatable {
    /// The line that declares it, trimmed.
    var declaration: String
    /// Where that line is, from 1.
    var line: Int
    /// Its length in lines.
    var lines: Int
}

/// The functions of a source that `swift format` has laid out: the closing brace of a body stands
/// under the first letter of the declaration.
func functionLengths(_ source: String) throws -> [FunctionLength] {
    let declaration = try Regex(
        #"^ *(?:@\w+(?:\([^)]*\))? )*(?:\w+(?:\(\w+\))? )*(?:func |init[(<?]|deinit )"#)
    let lines = withoutTextBlocks(linesOf(source))
    var found: [FunctionLength] = []
    for (index, line) in lines.enumerated() {
        guard line.firstMatch(of: declaration) != nil, !line.hasSuffix("}"),
            let end = closingBrace(of: index, in: lines)
        else { continue }
        found.append(
            FunctionLength(
                declaration: line.trimmingCharacters(in: .whitespaces), line: index + 1,
                lines: end - index + 1))
    }
    return found
}

/// The line of the brace that closes a declaration; nil when it has no body, as in a protocol.
private func closingBrace(of start: Int, in lines: [String]) -> Int? {
    let indent = lines[start].prefix { $0 == " " }.count
    for index in lines.indices.dropFirst(start + 1) {
        let line = lines[index]
        let own = line.prefix { $0 == " " }.count
        if line.isEmpty || own > indent { continue }
        // A long list of parameters closes at the same depth: `) throws -> Result {`.
        if own == indent, line.dropFirst(indent).hasPrefix(")") { continue }
        return own == indent && line.dropFirst(indent).hasPrefix("}") ? index : nil
    }
    return nil
}

/// The same lines, with those inside of `\"""` blocks emptied: they are not laid out as code.
private func withoutTextBlocks(_ lines: [String]) -> [String] {
    var isInside = false
    return lines.map { line in
        let quotes = line.components(separatedBy: #"""""#).count - 1
        let wasInside = isInside
        if quotes % 2 == 1 { isInside.toggle() }
        return wasInside ? "" : line
    }
}
