// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// A unit of the checkout, as systemd reads it.
struct UnitFile {
    let name: String
    private let settings: [(key: String, value: String)]
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../systemd").standardized

    init(_ name: String) throws {
        self.name = name
        let text = try String(contentsOf: Self.folder.appendingPathComponent(name), encoding: .utf8)
        settings = text.split(separator: "\n").compactMap { line in
            guard !line.hasPrefix("#"), let sign = line.firstIndex(of: "=") else { return nil }
            return (String(line[..<sign]), String(line[line.index(after: sign)...]))
        }
    }

    /// All that is set for a key, in order.
    func values(_ key: String) -> [String] {
        settings.filter { $0.key == key }.map(\.value)
    }

    /// The words of a key's values.
    func words(_ key: String) -> [String] {
        values(key).flatMap { $0.split(separator: " ").map(String.init) }
    }

    /// The one value of a key.
    func value(_ key: String) throws -> String {
        let all = values(key)
        try #require(all.count == 1, "\(name) has \(all.count) of \(key)")
        return all[0]
    }
}

/// When a timer elapses, by systemd's own word.
struct UnitTimer {
    /// What elapses, as `weekly`.
    let calendar: String
    /// A time that was missed is made up for.
    let isPersistent: Bool
    /// The longest time after that at which it starts its unit, in seconds.
    let delaySeconds: Int64

    init(_ file: UnitFile) throws {
        calendar = try file.value("OnCalendar")
        isPersistent = try file.value("Persistent") == "true"
        let span = try Self.analyze("timespan", try file.value("RandomizedDelaySec"))
        let microseconds = span.split(separator: "\n").first { $0.contains("s: ") }?
            .split(separator: " ").last.flatMap { Int64($0) }
        delaySeconds = try #require(microseconds, "\(span)") / 1_000_000
        // What would have it left out on battery, or at some other moment.
        for key in ["ConditionACPower", "OnBootSec", "OnUnitActiveSec", "OnUnitInactiveSec"] {
            try #require(file.values(key).isEmpty, "\(file.name) has \(key)")
        }
    }

    /// The first moment after another at which it elapses, in seconds since 1970.
    func elapse(after moment: Int64) throws -> Int64 {
        let text = try Self.analyze(
            "calendar", "--base-time=\(Moments.text(moment)) UTC", "--iterations=1", calendar)
        let line = text.split(separator: "\n").first { $0.contains("Next elapse: ") }
        let words = try #require(line, "\(text)").split(separator: " ").map(String.init)
        // `Next elapse: Mon 2026-03-02 00:00:00 UTC`
        try #require(words.count == 6 && words[5] == "UTC", "\(words)")
        return try Moments.seconds("\(words[3]) \(words[4])")
    }

    private static func analyze(_ words: String...) throws -> String {
        let ending = try Command.run(["env", "TZ=UTC", "systemd-analyze"] + words)
        try #require(ending.status == 0, "\(ending.errors)")
        return ending.output
    }
}

/// Moments as `2026-03-02 08:00:00`, in UTC.
enum Moments {
    private static func style() -> Date.ISO8601FormatStyle {
        Date.ISO8601FormatStyle(dateTimeSeparator: .space)
            .year().month().day().time(includingFractionalSeconds: false)
    }

    /// In seconds since 1970.
    static func seconds(_ text: String) throws -> Int64 {
        Int64(try Date(text, strategy: style()).timeIntervalSince1970)
    }

    static func text(_ seconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(seconds)).formatted(style())
    }
}
