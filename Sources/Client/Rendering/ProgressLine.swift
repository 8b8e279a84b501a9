// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// How fast a job goes, from what it has told so far. Each stage counts on its own.
struct ProgressMeter {
    /// What one line shows.
    struct Reading: Equatable {
        /// What the job told last.
        var progress: JobProgress
        /// Bytes a second in this stage; nil while it is too early to say.
        var bytesPerSecond: Double?
        /// Seconds to this stage's end; nil when nobody knows.
        var secondsLeft: Double?
    }

    /// A stage shorter than this says nothing about its speed, in seconds.
    static let minimumSeconds = 1.0

    private var first: JobProgress?

    /// Takes what the job tells.
    mutating func read(_ progress: JobProgress) -> Reading {
        guard let start = first, start.stage == progress.stage else {
            first = progress
            return Reading(progress: progress)
        }
        let seconds = progress.elapsedSeconds - start.elapsedSeconds
        guard seconds >= Self.minimumSeconds, progress.doneBytes > start.doneBytes else {
            return Reading(progress: progress)
        }
        let rate = Double(progress.doneBytes - start.doneBytes) / seconds
        let isKnown = progress.totalBytes >= progress.doneBytes && progress.totalBytes > 0
        let left = isKnown ? Double(progress.totalBytes - progress.doneBytes) / rate : nil
        return Reading(progress: progress, bytesPerSecond: rate, secondsLeft: left)
    }
}

/// Which of a job's messages become lines where lines cannot be redrawn.
struct ProgressPacer {
    /// The least time between two lines of one stage, in seconds of the job's own clock.
    let intervalSeconds: Double
    private var last: JobProgress?

    init(intervalSeconds: Double) { self.intervalSeconds = intervalSeconds }

    /// Whether this one is shown.
    mutating func shows(_ progress: JobProgress) -> Bool {
        if let last, last.stage == progress.stage {
            let seconds = progress.elapsedSeconds - last.elapsedSeconds
            // A clock that went back is a job that was started anew.
            guard seconds >= intervalSeconds || seconds < 0 else { return false }
        }
        last = progress
        return true
    }
}

/// A job's progress in one line.
enum ProgressLine {
    /// The bar's widest and narrowest form, in characters with its brackets.
    static let barWidths = 10...32

    /// Stage, bar, per cent, rate, time left and bytes saved; what has no room is left out, the bar
    /// first gets narrower. A job that stops before its end says when, and where there is room how
    /// long the whole takes.
    static func text(_ reading: ProgressMeter.Reading, columns: Int) -> String {
        let progress = reading.progress
        let stage = progress.stage.rawValue.sanitised.leading(Self.stageWidth)
        let percent = ByteText.percent(progress.doneBytes, of: progress.totalBytes)
        let saved = "saved \(ByteText.size(progress.savedBytes))"
        var details: [String] = []
        if !percent.isEmpty {
            details.append(percent.trailing(5))
        } else if progress.doneBytes > 0 {
            details.append(ByteText.size(progress.doneBytes))
        }
        if let pacing = progress.pacing, let text = text(pacing) {
            details.append(text)
        } else if let rate = reading.bytesPerSecond {
            details.append("\(ByteText.size(UInt64(min(rate, 1e18))))/s")
        }
        let left = reading.secondsLeft.map { "\(ByteText.duration(seconds: $0)) left" }
        let stops = stops(reading)
        if let first = stops ?? left { details.append(first) }
        if progress.savedBytes > 0 { details.append(saved) }
        if stops != nil, let left { details.append(left) }
        while details.count > 1 && width(stage, details) > columns { details.removeLast() }
        let room = columns - width(stage, details) - 2
        var parts = [stage]
        if !percent.isEmpty && room >= barWidths.lowerBound {
            parts.append(bar(progress, width: min(room, barWidths.upperBound)))
        }
        // Nothing stands behind a stage without figures: no blanks, either.
        if details.isEmpty { parts = [progress.stage.rawValue.sanitised] }
        return (parts + details).joined(separator: "  ").shortened(to: max(columns, 0))
    }

    /// When the job stops, if that comes before the end of this stage, or may.
    private static func stops(_ reading: ProgressMeter.Reading) -> String? {
        guard let seconds = reading.progress.stopsInSeconds,
            reading.secondsLeft.map({ seconds < $0 }) ?? true
        else { return nil }
        return seconds > 0 ? "stops in \(ByteText.duration(seconds: seconds))" : "is stopping"
    }

    /// Why the job does not work at full speed; nil when it does.
    static func text(_ pacing: Pacing) -> String? {
        let reason =
            switch pacing.reason {
            case .pause: "paused"
            case .standstill: pacing.advice?.sanitised ?? "its file system stands still"
            case .turn: "another job goes first"
            case .trim: trim(pacing)
            case .space: "no space"
            case .operation: pacing.advice?.sanitised ?? "others are at work"
            case .battery: "on battery"
            case .disk: "others need the disk"
            case .unknown(let word): word.sanitised
            case nil: ""
            }
        let share = Int((pacing.heldShare * 100).rounded())
        switch pacing.state {
        case .full: return nil
        case .slowed: return "slowed: \(reason) (held \(share) %)"
        case .held: return pacing.reason == .pause ? reason : "held: \(reason)"
        case .unknown(let word):
            return word.sanitised + (reason.isEmpty ? "" : ": \(reason)")
        }
    }

    private static func trim(_ pacing: Pacing) -> String {
        "\(pacing.qube?.sanitised ?? "a qube") is being trimmed"
    }

    /// What is said of a job that holds for a trim, as a part of a sentence.
    static func holds(forTrim pacing: Pacing) -> String {
        "is held\(since(pacing)): \(trim(pacing)). It goes on by itself afterwards"
    }

    /// What a job waits for, since when, and what becomes of it.
    static func waits(for advice: String, _ pacing: Pacing) -> String {
        switch pacing.reason {
        case .operation:
            "The job waits\(since(pacing)) for what others do with its file system: \(advice)."
                + " It goes on by itself."
        case .standstill: "The job \(standsStill(for: advice, pacing))."
        default: "The job waits for space on its file system: \(advice)."
        }
    }

    /// What is said of a job, as a part of a sentence.
    static func standsStill(for advice: String, _ pacing: Pacing) -> String {
        "stands still\(since(pacing)): \(advice). It goes on by itself when that is over, or"
            + " ends if it was cancelled"
    }

    private static func since(_ pacing: Pacing) -> String {
        pacing.heldAt.map { " since \(Moment.second($0).suffix(8).prefix(5))" } ?? ""
    }

    private static let stageWidth = JobProgress.Stage.allCases.map(\.rawValue.count).max() ?? 0

    private static func width(_ stage: String, _ details: [String]) -> Int {
        stage.count + details.reduce(0) { $0 + 2 + $1.count }
    }

    private static func bar(_ progress: JobProgress, width: Int) -> String {
        let inner = width - 2
        let share = min(Double(progress.doneBytes) / Double(max(progress.totalBytes, 1)), 1)
        let full = Int(share * Double(inner))
        return "[" + String(repeating: "#", count: full)
            + String(repeating: ".", count: inner - full) + "]"
    }
}
