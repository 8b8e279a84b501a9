// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What a desktop shows when a job has ended. Pure.
struct JobNotification: Equatable {
    let summary: String
    let body: String
    /// It wants to be looked at.
    let isUrgent: Bool

    init(_ record: JobRecord) {
        summary = "\(JobLines.title(record)) \(JobLines.fate(record))"
        let saved = record.result.map { result in
            result.savedBytes < 0 ? "Nothing came back." : Self.cameBack(result.savedBytes)
        }
        let problems = record.result?.problems.count ?? 0
        let parts = [
            record.operation.changesNothing
                ? record.result?.verification.map(VerificationLines.brief) : saved,
            record.error.map(\.sanitised),
            problems == 0 ? nil : "Left out: \(problems).",
        ]
        body = parts.compactMap(\.self).joined(separator: " ")
        isUrgent = record.exitStatus != .done && record.exitStatus != .jobCancelled
    }

    private static func cameBack(_ bytes: Int64) -> String {
        "\(ByteText.size(bytes.magnitude)) came back."
    }

    /// Servers take a body for markup.
    var markup: String {
        body.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
            .replacing(">", with: "&gt;")
    }

    private static let application = "qvm-btrfs"

    /// The programs that can show it, the first that is there being taken, with their arguments.
    var commands: [(program: String, arguments: [String])] {
        [
            (
                "notify-send",
                [
                    "--app-name", Self.application, "--urgency", isUrgent ? "critical" : "normal",
                    "--", summary, markup,
                ]
            ),
            (
                "gdbus",
                [
                    "call", "--session", "--timeout", "10", "--dest",
                    "org.freedesktop.Notifications", "--object-path",
                    "/org/freedesktop/Notifications", "--method",
                    "org.freedesktop.Notifications.Notify", Self.quoted(Self.application), "0",
                    "''", Self.quoted(summary), Self.quoted(markup), "@as []",
                    "{'urgency': <byte \(isUrgent ? 2 : 1)>}", "-1",
                ]
            ),
        ]
    }

    /// A string in GVariant's text form.
    private static func quoted(_ text: String) -> String {
        let escaped = text.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        return "'\(escaped)'"
    }
}
