// SPDX-License-Identifier: GPL-2.0-or-later

/// Sizes, ratios and times as people read them.
enum ByteText {
    /// No size is longer than this, in characters: `1023 GiB`.
    static let width = 8
    /// No ratio is longer than this.
    static let ratioWidth = 5

    private static let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

    /// Three digits and a binary unit: `0 B`, `1.23 GiB`, `16.0 TiB`, `1023 MiB`.
    static func size(_ bytes: UInt64) -> String {
        if bytes < 1024 { return "\(bytes) B" }
        var value = Double(bytes)
        var unit = 0
        // 1023.5 would be written as 1024: it belongs to the next unit.
        while value >= 1023.5 && unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return "\(threeDigits(value)) \(units[unit])"
    }

    /// The same with a sign: `-1.23 GiB`, `+512 B`, `0 B`.
    static func change(_ bytes: Int64) -> String {
        let sign = bytes < 0 ? "-" : bytes > 0 ? "+" : ""
        return sign + size(bytes.magnitude)
    }

    /// The difference of two sizes, with its sign.
    static func change(from before: UInt64, to after: UInt64) -> String {
        change(Int64(clamping: after) - Int64(clamping: before))
    }

    /// A ratio to three digits; `-` for none.
    static func ratio(_ value: Double?) -> String {
        guard let value else { return "-" }
        return value < 999.5 ? threeDigits(max(value, 0)) : ">999"
    }

    /// A part of a whole, in per cent; empty when there is no whole.
    static func percent(_ part: UInt64, of whole: UInt64) -> String {
        whole == 0 ? "" : "\(Int(min(Double(part) / Double(whole), 9.99) * 100)) %"
    }

    /// A length of time: `4 s`, `3 min 12 s`, `5 h 2 min`, `3 d 4 h`.
    static func duration(seconds: Double) -> String {
        let whole = Int(min(max(seconds, 0), 1e9))
        return switch whole {
        case ..<60: "\(whole) s"
        case ..<3600: "\(whole / 60) min \(whole % 60) s"
        case ..<86400: "\(whole / 3600) h \(whole % 3600 / 60) min"
        default: "\(whole / 86400) d \(whole % 86400 / 3600) h"
        }
    }

    /// A whole number with a space between groups of three digits.
    static func count(_ value: UInt64) -> String {
        let digits = Array(String(value))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text += " " }
            text.append(digit)
        }
        return text
    }

    /// 0 to 1024 with as many decimals as make three digits.
    private static func threeDigits(_ value: Double) -> String {
        if value < 9.995 { return decimal(value, places: 2) }
        if value < 99.95 { return decimal(value, places: 1) }
        return String(Int(value.rounded()))
    }

    private static func decimal(_ value: Double, places: Int) -> String {
        let scale = places == 2 ? 100 : 10
        let scaled = Int((value * Double(scale)).rounded())
        return "\(scaled / scale)." + String(scaled % scale + scale).dropFirst()
    }
}
