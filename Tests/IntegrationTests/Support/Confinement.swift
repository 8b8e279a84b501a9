// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import Testing

/// Makes some system calls answer otherwise, for a thread and all that it starts: as systemd's
/// filter does, or a kernel that lacks something.
struct Confinement {
    /// What becomes of a call.
    enum Answer: Sendable {
        /// Its process ends.
        case kill
        /// It fails with this errno.
        case failure(Int32)

        fileprivate var value: UInt32 {
            switch self {
            case .kill: 0x8000_0000
            case .failure(let number): 0x0005_0000 | UInt32(number)
            }
        }
    }

    static let reason: Comment = "needs the numbers of system calls of x86_64"

    static let isAvailable: Bool = {
        #if arch(x86_64)
            return true
        #else
            return false
        #endif
    }()

    /// A kernel without Landlock: not built in (ENOSYS), or switched off (EOPNOTSUPP).
    static func withoutLandlock(_ answer: Int32) -> Confinement {
        Confinement([444: .failure(answer)])
    }

    /// A kernel without filters of system calls, as the one that is confined sees it.
    static let withoutFilters = Confinement([317: .failure(EINVAL)])

    private let answers: [UInt32: Answer]

    /// What becomes of calls, by their numbers.
    init(_ answers: [UInt32: Answer]) { self.answers = answers }

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
            // A worker dies with the thread that has started it (PR_SET_PDEATHSIG): the thread
            // stays as long as this process.
            while true { pause() }
        }
        return try #require(outcome.wait { $0 }).value.get()
    }

    /// What one thread hands to another that waits for it. Unchecked, as the result of any body can
    /// be in it: the one thread has done with it before the other looks (`Monitor`).
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
        let allow: UInt32 = 0x7fff_0000
        let architecture: UInt32 = 0xc000_003e
        var program = [
            Instruction(code: load, value: 4),
            Instruction(code: isEqual, ifTrue: 1, value: architecture),
            Instruction(code: end, value: Answer.kill.value),
            Instruction(code: load, value: 0),
        ]
        for (number, answer) in answers.sorted(by: { $0.key < $1.key }) {
            program.append(Instruction(code: isEqual, ifFalse: 1, value: number))
            program.append(Instruction(code: end, value: answer.value))
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
