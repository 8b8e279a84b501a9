// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemPackage

/// Where a file system of a qube is mounted in it, whose volume lasts.
enum MountPoint: String, Encodable, CaseIterable, Sendable {
    /// That of the volume `root`.
    case root = "/"
    /// That of the volume `private`.
    case `private` = "/rw"

    /// The volume that it lies on.
    var volume: String { self == .root ? "root" : "private" }

    /// What trims it.
    var command: [String] { ["fstrim", rawValue] }

    /// Those of a qube of this class. The root of an app qube is a snapshot that goes with it, and
    /// so is all that a disposable has: what is trimmed there brings nothing that lasts.
    static func all(ofClass kind: String) -> [MountPoint] {
        switch kind {
        case "TemplateVM", "StandaloneVM": [.root, .private]
        case "AppVM": [.private]
        default: []
        }
    }
}

/// The service by which Qubes runs a command as root in a qube.
enum VMRootExec {
    /// Its name.
    static let service = "qubes.VMRootExec"

    /// Its argument for a trim. `env` is what finds the program: it says by its status when there
    /// is none, which the service by itself does not.
    static func argument(_ mount: MountPoint) -> String { encode(["env"] + mount.command) }

    /// Words as that service takes them: `+` between them, `--` for `-`, and every other byte that
    /// is no letter, digit, `_` or `.` as `-` and two digits.
    static func encode(_ words: [String]) -> String {
        words.map { word in
            word.utf8.map { byte in
                switch byte {
                case _ where byte.isLetter || byte.isDigit: String(UnicodeScalar(byte))
                case UInt8(ascii: "_"), UInt8(ascii: "."): String(UnicodeScalar(byte))
                case UInt8(ascii: "-"): "--"
                default:
                    "-" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16, uppercase: true)
                }
            }.joined()
        }.joined(separator: "+")
    }
}

/// The way into a qube for one command as root: that of `qvm-run` in dom0, and policy's in a qube.
/// Of what comes back only the exit status is looked at.
struct GuestDoor {
    /// dom0's program.
    static let dom0Program = "qrexec-client"

    /// Where programs are.
    let programs: QrexecTransport
    let isDom0: Bool
    /// Where a socket stands for each qube in which qrexec's agent has said that it is there.
    let agents: FilePath
    let interruption: Interruption

    /// Asks for one trim, and waits for its end.
    func trim(
        _ mount: MountPoint, in qube: QubeName, limitSeconds: Int
    ) throws(ClientError) -> GuestAnswer {
        if interruption.isInterrupted { throw .interrupted }
        if isDom0, !hasAgent(qube) { return .noAgent }
        let program = isDom0 ? Self.dom0Program : QrexecTransport.program
        let arguments =
            isDom0
            ? ["-d", qube.text, "root:" + mount.command.joined(separator: " ")]
            : [qube.text, "\(VMRootExec.service)+\(VMRootExec.argument(mount))"]
        let end: ProgramEnd
        do throws(Errno) {
            end = try programs.run(
                program, arguments, outputBytes: nil, limitSeconds: Double(limitSeconds),
                interruption: interruption)
        } catch {
            throw .noGuestProgram(program, error)
        }
        if interruption.isInterrupted { throw .interrupted }
        switch end.reason {
        case .exited(let status): return GuestAnswer(untrustedStatus: status, isDom0: isDom0)
        case .late: return .silent
        case .killed, .tooLong: return .unknown(status: nil)
        }
    }

    private func hasAgent(_ qube: QubeName) -> Bool {
        FileManager.default.fileExists(atPath: agents.appending("qrexec.\(qube.text)").string)
    }
}

/// What a qube has answered, as far as anybody believes it.
enum GuestAnswer: Equatable, Sendable {
    /// It says that it has trimmed. What that brought is for dom0's own count to say.
    case trimmed
    /// There is no fstrim in it, or it cannot be run.
    case noProgram
    /// fstrim was there and has failed.
    case failed(status: Int32)
    /// Policy let nobody in.
    case refused
    /// Nobody is there who would run a command.
    case noAgent
    /// It did not answer in time.
    case silent
    /// It ended with another status, or none.
    case unknown(status: Int32?)

    /// By the status of qrexec's program, which is the command's own where that ran.
    init(untrustedStatus status: Int32, isDom0: Bool) {
        switch status {
        case 0: self = .trimmed
        // fstrim's own: all failed, or some.
        case 1, 32, 64: self = .failed(status: status)
        // qrexec says so in a qube when policy refuses; in dom0 there is no policy in the way.
        case 126: self = isDom0 ? .noProgram : .refused
        case 127: self = .noProgram
        case 125: self = .noAgent
        default: self = .unknown(status: status)
        }
    }

    /// What is wrong is that file system; another one of the same qube may fare better.
    var isOfFileSystem: Bool {
        switch self {
        case .trimmed, .failed: true
        default: false
        }
    }

    /// For programs.
    func record(_ mount: MountPoint) -> TrimRecord.Trim {
        let status: Int32? =
            switch self {
            case .trimmed: 0
            case .failed(let status): status
            case .unknown(let status): status
            default: nil
            }
        return TrimRecord.Trim(
            mountPoint: mount, outcome: word, exitStatus: status,
            reached: ![.refused, .noAgent, .noProgram].contains(self))
    }

    /// For programs.
    var word: String {
        switch self {
        case .trimmed: "trimmed"
        case .noProgram: "noFstrim"
        case .failed: "fstrimFailed"
        case .refused: "refused"
        case .noAgent: "noAgent"
        case .silent: "silent"
        case .unknown: "unanswered"
        }
    }

    /// Why nothing was trimmed there, and what to do; nil where it was.
    func reason(_ mount: MountPoint, limitSeconds: Int) -> String? {
        switch self {
        case .trimmed: nil
        case .noProgram:
            "no fstrim in it. It comes with util-linux; no qube without Linux has one."
        case .failed(let status):
            "fstrim \(mount.rawValue) failed in it (status \(status)). Its file system is "
                + "read-only or not mounted there, or a layer in it passes no discards on, as "
                + "LUKS without allow_discards; 'sudo fstrim -v \(mount.rawValue)' in it says more."
        case .refused: "policy refused the command."
        case .noAgent:
            "no agent of qrexec answers in it. It is still starting, or is no qube that runs "
                + "commands for others."
        case .silent:
            "no answer within \(ByteText.duration(seconds: Double(limitSeconds))). It may still be "
                + "at it; --time-limit gives it longer."
        case .unknown(let status):
            "it ended without an answer" + (status.map { " (status \($0))" } ?? "")
                + ". Does it still run?"
        }
    }
}
