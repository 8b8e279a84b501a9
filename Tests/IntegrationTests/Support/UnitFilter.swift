// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
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
    /// allows again.
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
                try #require(!refused.isEmpty, "a list of what is refused")
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
        let program = program
        let work = Handed(value: body)
        let outcome = Monitor<Handed<Swift.Result<Result, any Error>>?>(nil)
        try WorkThread.start {
            let result = Handed(
                value: Swift.Result {
                    try Self.install(program)
                    return try work.value()
                })
            outcome.withLock { $0 = result }
        }
        return try #require(outcome.wait { $0 }).value.get()
    }

    /// What one thread hands to another that waits for it.
    private struct Handed<Value>: @unchecked Sendable { let value: Value }

    /// An instruction of classic BPF (`struct sock_filter`).
    private struct Instruction: Sendable {
        var code: UInt16
        var ifTrue: UInt8 = 0
        var ifFalse: UInt8 = 0
        var value: UInt32
    }

    private var program: [Instruction] {
        let load: UInt16 = 0x20
        let isEqual: UInt16 = 0x15
        let end: UInt16 = 0x06
        let kill: UInt32 = 0x8000_0000
        let allow: UInt32 = 0x7fff_0000
        let architecture: UInt32 = 0xc000_003e
        var program = [
            Instruction(code: load, value: 4),
            Instruction(code: isEqual, ifTrue: 1, value: architecture),
            Instruction(code: end, value: kill),
            Instruction(code: load, value: 0),
        ]
        for number in refused.compactMap({ Self.numbers[$0] }).sorted() {
            program.append(Instruction(code: isEqual, ifFalse: 1, value: number))
            program.append(Instruction(code: end, value: kill))
        }
        program.append(Instruction(code: end, value: allow))
        return program
    }

    /// prctl(2), which Swift does not import.
    private typealias Control = @convention(c) (CInt, UInt, UInt, UInt, UInt) -> CInt

    /// A whole filter (`struct sock_fprog`).
    private struct Program {
        var count: UInt16
        /// The address of the first instruction.
        var first: UInt
    }

    /// Sets the filter of this thread, for good.
    private static func install(_ program: [Instruction]) throws {
        let symbol = unsafe try #require(dlsym(nil, "prctl"))
        let prctl = unsafe unsafeBitCast(symbol, to: Control.self)
        let noNewPrivileges: CInt = 38
        let setFilter: CInt = 22
        try #require(prctl(noNewPrivileges, 1, 0, 0, 0) == 0)
        let status = unsafe program.withUnsafeBytes { bytes in
            var filter = Program(
                count: UInt16(program.count), first: UInt(bitPattern: bytes.baseAddress))
            return unsafe withUnsafeMutablePointer(to: &filter) {
                prctl(setFilter, 2, UInt(bitPattern: $0), 0, 0)
            }
        }
        try #require(status == 0)
    }
}
