// SPDX-License-Identifier: GPL-2.0-or-later

/// The reply of `btrfs.Check`: whether this dom0, and the qubes that were asked about, are fit.
public struct CheckReport: Codable, Equatable, Sendable {
    /// One thing that was looked at.
    public struct Finding: Codable, Equatable, Sendable {
        /// How it is.
        public enum Level: Word {
            /// As it should be.
            case good
            /// Good to know.
            case note
            /// Costs space or time.
            case warning
            /// Something does not work, or will break.
            case problem
            /// Of a later release.
            case unknown(String)

            /// Those that this release knows.
            public static let allCases: [Self] = [
                .good, .note, .warning, .problem,
            ]

            /// As it is written.
            public var rawValue: String {
                switch self {
                case .good: "good"
                case .note: "note"
                case .warning: "warning"
                case .problem: "problem"
                case .unknown(let word): word
                }
            }
        }

        /// How it is.
        public var level: Level
        /// What was looked at, as a word for programs: `mount.discard`, `image.nocow`.
        public var topic: String
        /// Which thing, for people: a pool, a qube, `dom0`.
        public var subject: String
        /// What was found.
        public var message: String
        /// Why it matters; nil where all is well.
        public var reason: String?
        /// The command that mends it.
        public var command: String?
        /// Which thing, for programs, and for whoever judges who may read it; nil where nobody has
        /// said so, and then it is for dom0 alone.
        public var about: Subject?

        /// Makes a finding about this.
        public init(
            _ level: Level, _ topic: String, about: Subject, _ message: String,
            reason: String? = nil, command: String? = nil
        ) {
            self.init(level, topic, about.text, message, reason: reason, command: command)
            self.about = about
        }

        /// Makes a finding that is for dom0 alone until it is said what it is about.
        public init(
            _ level: Level, _ topic: String, _ subject: String, _ message: String,
            reason: String? = nil, command: String? = nil
        ) {
            self.level = level
            self.topic = topic
            self.subject = subject
            self.message = message
            self.reason = reason
            self.command = command
        }
    }

    /// The version of this message.
    public var version: ProtocolVersion
    /// When it was looked at, seconds since 1970.
    public var checkedAt: Int64
    /// What was found, the worst first.
    public var findings: [Finding]

    /// Makes a reply.
    public init(checkedAt: Int64, findings: [Finding]) {
        version = .current
        self.checkedAt = checkedAt
        self.findings = findings
    }

    /// Something should be done. What this release has no word for may be the worst of all.
    public var wantsAction: Bool {
        findings.contains { $0.level == .warning || $0.level == .problem || $0.level.isUnknown }
    }
}
