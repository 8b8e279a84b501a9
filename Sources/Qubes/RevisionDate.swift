// SPDX-License-Identifier: GPL-2.0-or-later

/// Reads `YYYY-MM-DDTHH:MM:SSZ`, nothing shorter, longer or otherwise written, and no date that the
/// calendar has not. Seconds since 1970, UTC.
func secondsSince1970(_ text: some Collection<UInt8>) -> Int64? {
    let bytes = Array(text)
    let pattern = Array("0000-00-00T00:00:00Z".utf8)
    guard bytes.count == pattern.count else { return nil }
    let isShaped = zip(bytes, pattern).allSatisfy { byte, sample in
        isDigit(sample) ? isDigit(byte) : byte == sample
    }
    guard isShaped else { return nil }
    func number(_ range: Range<Int>) -> Int64 {
        bytes[range].reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }
    let (year, month, day) = (number(0..<4), number(5..<7), number(8..<10))
    let (hour, minute, second) = (number(11..<13), number(14..<16), number(17..<19))
    guard (1...12).contains(month), (1...daysInMonth(month, year: year)).contains(day),
        hour < 24, minute < 60, second < 60
    else { return nil }
    let days = daysSince1970(year: year, month: month, day: day)
    return ((days * 24 + hour) * 60 + minute) * 60 + second
}

private func isLeap(_ year: Int64) -> Bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

private func daysInMonth(_ month: Int64, year: Int64) -> Int64 {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
}

/// Counts days by the Gregorian calendar, from year 0 on. A year is taken to begin in March, so
/// that the leap day is its last.
private func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
    // Shifted by one cycle of 400 years, so that January of year 0 divides like all others.
    let cycleYears: Int64 = 400
    let cycleDays: Int64 = 146_097
    let marchYear = (month <= 2 ? year - 1 : year) + cycleYears
    let marchMonth = (month + 9) % 12
    let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
    // From March on, five months take 153 days, over and over.
    let dayOfYear = (153 * marchMonth + 2) / 5 + day - 1
    let fromMarchOfYear0To1970: Int64 = 719_468
    return marchYear * 365 + leapDays + dayOfYear - cycleDays - fromMarchOfYear0To1970
}
