// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage

/// Where the entries of the journal come from.
enum Journal {
    /// The most that is read, in bytes: some hundred thousand entries.
    static let limitBytes = 128 << 20
    /// Where systemd's program may be.
    static let programs = ["/usr/bin/journalctl", "/bin/journalctl"]

    /// The fields that are asked for; journalctl adds the time by itself.
    private static let fields =
        ["MESSAGE", "_UID"] + AuditRecord.Field.allCases.map(\.journalName)

    /// Whose entries are asked for: the policy daemon's (and what stands in for it when it is not
    /// running), and the service's. `+` is journalctl's word for or.
    private static let writers = ["qrexec-policy-daemon", "qrexec-policy-exec", "qubes-btrfsd"]

    /// The arguments of journalctl for all since a moment, in seconds since 1970.
    static func arguments(since: Int64) -> [String] {
        let matches = writers.map { ["SYSLOG_IDENTIFIER=\($0)"] }.joined(separator: ["+"])
        return [
            "--output=json", "--all", "--no-pager", "--quiet", "--since=@\(since)",
            "--output-fields=\(fields.joined(separator: ","))",
        ] + matches
    }

    /// Asks this machine's journal.
    /// - Parameter interruption: ends journalctl.
    static func read(
        since: Int64, until interruption: Interruption, programs: [String] = Self.programs
    ) throws(ClientError) -> JournalText {
        for program in programs {
            do throws(Errno) {
                return try read(program, arguments(since: since), interruption)
            } catch _ where interruption.isInterrupted {
                throw .interrupted
            } catch .noSuchFileOrDirectory {
            } catch {
                throw .journal("journalctl", reason: "\(error)")
            }
        }
        throw .journal("journalctl", reason: "it is not installed")
    }

    /// Reads a file that journalctl has written with `--output=json`.
    static func read(file: FilePath) throws(ClientError) -> JournalText {
        do throws(Errno) {
            return try read(try Descriptor.open(file, [.readOnly]))
        } catch {
            throw .file(file.string, error)
        }
    }

    private static func read(
        _ program: String, _ arguments: [String], _ interruption: Interruption
    ) throws(Errno) -> JournalText {
        var text = JournalText()
        var child: ChildProcess?
        let input = try Descriptor.open("/dev/null", .readOnly)
        var output: SharedDescriptor?
        let pipe = try Descriptor.pipe()
        child = try ChildProcess.spawn(
            executable: program, arguments: arguments,
            environment: ["PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"], standardInput: input,
            standardOutput: pipe.second)
        pipe.split { reading, _ in output = SharedDescriptor(reading) }
        guard let child, let output else { throw .badFileDescriptor }
        do throws(Errno) {
            text = try interruption.cancelling({ child.kill() }) { () throws(Errno) in
                try read(output.descriptor)
            }
        } catch {
            child.kill()
            _ = try? child.wait()
            throw error
        }
        guard try child.wait() == .exited(0) else { throw .permissionDenied }
        return text
    }

    private static func read(_ source: borrowing Descriptor) throws(Errno) -> JournalText {
        var text = JournalText()
        var readBytes = 0
        while true {
            let piece = try source.read(maximumBytes: 1 << 20)
            if piece.isEmpty { break }
            readBytes += piece.count
            guard readBytes <= limitBytes else { throw .fileTooLarge }
            text.append(piece)
        }
        text.finish()
        return text
    }
}
