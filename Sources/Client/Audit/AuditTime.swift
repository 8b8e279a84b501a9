// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// Reads moments in the time of this machine.
enum AuditTime {
    /// A day, in seconds.
    private static let daySeconds: Int64 = 86400

    /// A text that is one, for whoever knows later what time it is.
    struct Text: Decodable {
        private let text: String

        init?(_ text: String) {
            guard AuditTime.read(text, now: 0) != nil else { return nil }
            self.text = text
        }

        /// - Parameter now: seconds since 1970, as the result.
        func moment(_ now: Int64) -> Int64? { AuditTime.read(text, now: now) }
    }

    /// Reads `2026-11-23`, `2026-11-23 07:30`, `2026-11-23T07:30:05`, or a time ago: `90m`, `12h`,
    /// `7d`, `4w`. nil when it is none of these.
    /// - Parameter now: seconds since 1970.
    static func read(_ text: String, now: Int64) -> Int64? {
        if let ago = length(text) { return now - ago }
        let halves = text.split(
            maxSplits: 1, omittingEmptySubsequences: false,
            whereSeparator: { $0 == " " || $0 == "T" })
        guard let date = numbers(halves[0], separator: "-", widths: [4, 2, 2]) else { return nil }
        var time = [0, 0, 0]
        if halves.count == 2 {
            let whole = numbers(halves[1], separator: ":", widths: [2, 2, 2])
            guard let read = whole ?? numbers(halves[1], separator: ":", widths: [2, 2]) else {
                return nil
            }
            time = read + Array(repeating: 0, count: 3 - read.count)
        }
        return seconds(date + time)
    }

    private static func length(_ text: String) -> Int64? {
        guard let unit = text.last, text.utf8.dropLast().allSatisfy(\.isDigit),
            let number = Int64(text.dropLast()), number <= 100_000
        else { return nil }
        return switch unit {
        case "m": number * 60
        case "h": number * 3600
        case "d": number * daySeconds
        case "w": number * 7 * daySeconds
        default: nil
        }
    }

    private static func numbers(
        _ text: Substring, separator: Character, widths: [Int]
    ) -> [Int]? {
        let parts = text.split(separator: separator, omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == widths,
            parts.allSatisfy({ $0.utf8.allSatisfy(\.isDigit) })
        else { return nil }
        return parts.compactMap { Int($0) }
    }

    /// A moment by its year, month, day, hour, minute and second; nil for one that no calendar has.
    private static func seconds(_ parts: [Int]) -> Int64? {
        guard (1970...9999).contains(parts[0]), (1...12).contains(parts[1]),
            (1...31).contains(parts[2]), (0...23).contains(parts[3]),
            (0...59).contains(parts[4]), (0...59).contains(parts[5])
        else { return nil }
        var broken = unsafe tm()
        unsafe broken.tm_year = Int32(parts[0] - 1900)
        unsafe broken.tm_mon = Int32(parts[1] - 1)
        unsafe broken.tm_mday = Int32(parts[2])
        unsafe broken.tm_hour = Int32(parts[3])
        unsafe broken.tm_min = Int32(parts[4])
        unsafe broken.tm_sec = Int32(parts[5])
        unsafe broken.tm_isdst = -1
        let seconds = unsafe mktime(&broken)
        // The 31st of a month of 30 days has become the first of the next.
        guard unsafe broken.tm_mday == Int32(parts[2]), seconds >= 0 else { return nil }
        return Int64(seconds)
    }
}
