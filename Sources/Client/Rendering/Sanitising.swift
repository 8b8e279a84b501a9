// SPDX-License-Identifier: GPL-2.0-or-later

extension String {
    /// The same with everything escaped that would move a terminal's cursor, change its state or
    /// turn the direction of writing: control and format characters, line ends among them. It is
    /// always one line, and doing it twice changes nothing more.
    var sanitised: String {
        var safe = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            if scalar.isHarmless {
                safe.append(scalar)
            } else {
                safe.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
            }
        }
        return String(safe)
    }

    /// The same JSON text with such characters as JSON escapes. They can stand in strings only,
    /// where the escape means the same.
    var sanitisedJSON: String {
        var safe = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            if scalar.isHarmless {
                safe.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                let zeros = String(repeating: "0", count: 4 - digits.count)
                safe.append(contentsOf: "\\u\(zeros)\(digits)".unicodeScalars)
            }
        }
        return String(safe)
    }

    /// Cut to so many characters, the last one an ellipsis when something was cut.
    func shortened(to length: Int) -> String {
        guard count > length else { return self }
        return length < 1 ? "" : prefix(length - 1) + "…"
    }

    /// Filled with spaces behind it up to so many characters.
    func leading(_ length: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, length - count))
    }

    /// Filled with spaces before it up to so many characters.
    func trailing(_ length: Int) -> String {
        String(repeating: " ", count: Swift.max(0, length - count)) + self
    }
}

extension Unicode.Scalar {
    fileprivate var isHarmless: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse,
            .unassigned:
            false
        default: true
        }
    }
}
