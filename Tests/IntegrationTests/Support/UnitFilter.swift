// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// The filter of system calls that systemd makes of the unit, made here: whatever the unit refuses
/// ends the process that calls it, so that a call that is refused cannot pass unnoticed.
struct UnitFilter {
    static let reason: Comment = "needs the kernel's numbers of calls for x86_64"

    static let isAvailable: Bool = {
        #if arch(x86_64)
            return !numbers.isEmpty
        #else
            return false
        #endif
    }()

    /// The numbers of the calls by name, by the kernel's header.
    private static let numbers: [String: UInt32] = {
        let header = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"
        let text = (try? String(contentsOfFile: header, encoding: .utf8)) ?? ""
        var numbers: [String: UInt32] = [:]
        for match in text.matches(of: #/#define __NR_(\w+) (\d+)/#) {
            numbers[String(match.output.1)] = UInt32(match.output.2)
        }
        return numbers
    }()

    /// The calls that the unit refuses, by name.
    let refused: Set<String>

    /// Reads `SystemCallFilter=` of a unit: a list of what is refused, less what a later line
    /// allows again; or one of what is allowed, which begins the unit's lines then.
    init(unit: URL) throws {
        var refused: Set<String> = []
        let prefix = "SystemCallFilter="
        for line in try String(contentsOf: unit, encoding: .utf8).split(separator: "\n")
        where line.hasPrefix(prefix) {
            let value = line.dropFirst(prefix.count)
            let words = value.drop { $0 == "~" }.split(separator: " ").map(String.init)
            let calls = try words.reduce(into: Set<String>()) { try $0.formUnion(Self.calls($1)) }
            if value.hasPrefix("~") {
                refused.formUnion(calls)
            } else {
                if refused.isEmpty { refused = Set(Self.numbers.keys) }
                refused.subtract(calls)
            }
        }
        self.refused = refused
    }

    /// The calls of a group, as this systemd has it; of anything else, itself.
    private static func calls(_ word: String) throws -> Set<String> {
        guard word.hasPrefix("@") else { return [word] }
        let text = try Command.check("systemd-analyze", "--no-pager", "syscall-filter", word)
        return try text.output.split(separator: "\n").dropFirst()
            .map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
            .reduce(into: []) { try $0.formUnion(calls($1)) }
    }

    /// Does something on a thread of its own under the filter; processes that it starts are under
    /// it, too, and all that they start.
    func confining<Result>(_ body: @escaping () throws -> Result) throws -> Result {
        try Confinement(
            Dictionary(
                uniqueKeysWithValues: refused.compactMap { Self.numbers[$0] }
                    .map { ($0, Confinement.Answer.kill) })
        ).confining(body)
    }
}
