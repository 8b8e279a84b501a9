// SPDX-License-Identifier: GPL-2.0-or-later

/// Whose turn it is to be given an account: one at a time for each qube, and of those that wait who
/// was served longest ago, so that whoever asks much waits behind whoever asks little. Pure.
struct AccountTurns: Equatable, Sendable {
    /// The qubes that are served now.
    private(set) var served: Set<String> = []
    /// Those that wait, in the order in which they came, each as often as it waits.
    private var waiting: [Waiting] = []
    private var lastNumber: UInt64 = 0
    /// When each was served last, as a number that grows; only while somebody waits.
    private var lastTurn: [String: UInt64] = [:]

    private struct Waiting: Equatable, Sendable {
        let number: UInt64
        let caller: String
    }

    /// One more waits.
    /// - Returns: its number.
    mutating func enter(_ caller: String) -> UInt64 {
        lastNumber += 1
        waiting.append(Waiting(number: lastNumber, caller: caller))
        return lastNumber
    }

    /// Serves the one with a number, if it is its turn and fewer than so many are served.
    mutating func serve(_ number: UInt64, most: Int) -> Bool {
        guard served.count < most, next?.number == number, let caller = next?.caller else {
            return false
        }
        served.insert(caller)
        return true
    }

    /// It does not wait any more, served or not.
    mutating func leaveQueue(_ number: UInt64) {
        if let caller = waiting.first(where: { $0.number == number })?.caller {
            lastTurn[caller] = lastNumber
        }
        waiting.removeAll { $0.number == number }
        if waiting.isEmpty { lastTurn = [:] }
    }

    /// It has its account.
    mutating func end(_ caller: String) { served.remove(caller) }

    private var next: Waiting? {
        waiting.filter { !served.contains($0.caller) }
            .min { (lastTurn[$0.caller] ?? 0, $0.number) < (lastTurn[$1.caller] ?? 0, $1.number) }
    }
}
