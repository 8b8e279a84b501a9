// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What a job's time did not suffice for, as text.
enum RemainderLines {
    /// `stopped after 2 h 0 min, as asked`.
    static func headline(_ left: JobRemainder) -> String {
        "stopped after \(ByteText.duration(seconds: Double(left.forSeconds))), as asked"
    }

    /// What is left, what that may bring, and how long it takes.
    static func all(_ left: JobRemainder) -> [Line] {
        Line.wrapped(text(left), indent: 2, style: .warning)
    }

    /// `done 70 %`: how far the plan was carried out, for a list of jobs.
    static func state(_ left: JobRemainder) -> String {
        let done = left.plannedBytes - min(left.leftBytes, left.plannedBytes)
        let percent = left.plannedBytes == 0 ? "0 %" : ByteText.percent(done, of: left.plannedBytes)
        return "done \(percent)"
    }

    private static func text(_ left: JobRemainder) -> String {
        var sentences: [String] = []
        if left.leftBytes > 0 {
            let (rest, all) = (ByteText.size(left.leftBytes), ByteText.size(left.plannedBytes))
            var text = "Left: \(rest) of \(all)"
            if let bytes = left.predictedBytes, bytes > 0 {
                text += ", which would save \(ByteText.size(bytes))"
            }
            if let seconds = left.restSeconds {
                text += ", about \(ByteText.duration(seconds: seconds)) at this rate"
            }
            sentences.append(text + ".")
        }
        if let text = unplanned(left) { sentences.append(text) }
        return (sentences + ["The same command goes on there."]).joined(separator: " ")
    }

    private static func unplanned(_ left: JobRemainder) -> String? {
        guard let systems = left.unplannedFileSystems, systems > 0 else { return nil }
        let known = left.toKnowBytes.map { bytes in
            ": of \(ByteText.size(bytes)) of content it knows "
                + "\(ByteText.size(min(left.knownBytes ?? 0, bytes))) by now"
        }
        if left.plannedBytes > 0 {
            let which = systems == 1 ? "one file system" : "\(systems) file systems"
            return "On \(which) nothing was moved yet\(known ?? "")."
        }
        return "Nothing was moved yet\(known ?? "")."
            + " What every run does first takes longer than that: give it more time."
    }
}
