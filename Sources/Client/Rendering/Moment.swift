// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc

/// Moments as text, in the time of this machine: reports, jobs and the audit show one moment alike.
enum Moment {
    /// `2026-11-23`.
    static func day(_ secondsSince1970: Int64) -> String {
        String(second(secondsSince1970).prefix(10))
    }

    /// `2026-11-23 08:15`.
    static func minute(_ secondsSince1970: Int64) -> String {
        String(second(secondsSince1970).prefix(16))
    }

    /// `2026-11-23 08:15:00`. What no calendar has becomes its edge.
    static func second(_ secondsSince1970: Int64) -> String {
        let broken = unsafe broken(secondsSince1970)
        let date = unsafe [Int(broken.tm_year) + 1900, Int(broken.tm_mon) + 1, Int(broken.tm_mday)]
        let time = unsafe [broken.tm_hour, broken.tm_min, broken.tm_sec].map(Int.init)
        return date.map(twoDigits).joined(separator: "-") + " "
            + time.map(twoDigits).joined(separator: ":")
    }

    /// `CET`: what the clock on the wall goes by at that moment.
    static func zone(_ secondsSince1970: Int64) -> String {
        let broken = unsafe broken(secondsSince1970)
        guard let name = unsafe broken.tm_zone else { return "UTC" }
        return unsafe String(cString: name)
    }

    /// By how many seconds that is ahead of UTC.
    static func offsetSeconds(_ secondsSince1970: Int64) -> Int {
        unsafe Int(broken(secondsSince1970).tm_gmtoff)
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

    private static func broken(_ secondsSince1970: Int64) -> tm {
        let lastSecond: Int64 = 253_402_214_400  // a day before the end of the year 9999
        var seconds = time_t(min(max(secondsSince1970, 0), lastSecond))
        var broken = unsafe tm()
        _ = unsafe localtime_r(&seconds, &broken)
        return unsafe broken
    }

    private static func twoDigits(_ number: Int) -> String {
        number < 10 ? "0\(number)" : String(number)
    }
}

/// The time zone of this machine, as `--json` has it beside moments, which are seconds since 1970.
struct TimeZoneNow: Encodable {
    /// `CET`.
    let name: String
    /// Ahead of UTC.
    let offsetSeconds: Int

    /// - Parameter now: seconds since 1970.
    init(now: Int64) {
        name = Moment.zone(now)
        offsetSeconds = Moment.offsetSeconds(now)
    }
}
