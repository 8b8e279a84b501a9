// SPDX-License-Identifier: GPL-2.0-or-later
@_exported import Glibc

/// One parser of what comes from outside, and what must hold whatever it is given.
struct FuzzTarget: Sendable {
    /// As in `FUZZ_TARGET`, and the name of its folder of seeds.
    let name: String
    /// Gives it one input; a law that does not hold ends the process.
    let run: @Sendable ([UInt8]) -> Void

    /// Every target.
    static let all = [
        FuzzTarget(name: "header", run: fuzzHeader),
        FuzzTarget(name: "payload", run: fuzzPayload),
        FuzzTarget(name: "inventory", run: fuzzInventory),
        FuzzTarget(name: "qubesd", run: fuzzQubesd),
        FuzzTarget(name: "search", run: fuzzSearch),
        FuzzTarget(name: "cache", run: fuzzCache),
        FuzzTarget(name: "history", run: fuzzHistory),
        FuzzTarget(name: "worker", run: fuzzWorker),
        FuzzTarget(name: "answer", run: fuzzAnswer),
        FuzzTarget(name: "audit", run: fuzzAudit),
    ]

    /// The one that the environment names: the command line is libFuzzer's.
    static let chosen: FuzzTarget? = {
        guard let name = unsafe getenv("FUZZ_TARGET") else { return nil }
        return all.first { unsafe $0.name == String(cString: name) }
    }()
}

/// What libFuzzer calls with each input; it brings its own main.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ length: Int) -> CInt {
    guard let target = FuzzTarget.chosen else {
        complain("FUZZ_TARGET must be one of \(FuzzTarget.all.map(\.name))")
        exit(2)
    }
    target.run(unsafe [UInt8](UnsafeBufferPointer(start: start, count: length)))
    return 0
}

/// Ends the process, for libFuzzer to keep the input, when a law does not hold.
func demand(_ holds: Bool, _ law: @autoclosure () -> String) {
    guard !holds else { return }
    complain("violated: \(law())")
    abort()
}

/// Writes a line to standard error.
func complain(_ text: String) {
    let bytes = Array((text + "\n").utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe write(2, $0.baseAddress, $0.count) }
}

/// Printable ASCII alone: neither a line of a log nor a terminal can be broken with it.
func isPlainText(_ text: String) -> Bool { text.utf8.allSatisfy { (0x20...0x7e).contains($0) } }

/// Holds no control character.
func isOneLine(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f } }
