// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials

/// Moments as text, in UTC.
enum Moment {
    /// `2026-11-23`.
    static func day(_ secondsSince1970: Int64) -> String {
        String(text(secondsSince1970).prefix(10))
    }

    /// `2026-11-23 08:15`.
    static func minute(_ secondsSince1970: Int64) -> String {
        let text = text(secondsSince1970)
        return "\(text.prefix(10)) \(text.dropFirst(11).prefix(5))"
    }

    /// `2026-11-23T08:15:00Z`. What no calendar has becomes its edge.
    static func text(_ secondsSince1970: Int64) -> String {
        let lastSecond: Int64 = 253_402_300_799  // of the year 9999
        let seconds = min(max(secondsSince1970, 0), lastSecond)
        return Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601)
    }

    /// How long ago that was: `3 d`, `5 h`, `2 min`.
    static func age(_ secondsSince1970: Int64, now: Int64) -> String {
        let elapsed = now.subtractingReportingOverflow(secondsSince1970)
        let seconds = elapsed.overflow ? 0 : max(elapsed.partialValue, 0)
        return switch seconds {
        case ..<3600: "\(seconds / 60) min"
        case ..<86400: "\(seconds / 3600) h"
        default: "\(seconds / 86400) d"
        }
    }
}
