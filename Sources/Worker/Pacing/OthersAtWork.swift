// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls
internal import SystemPackage

/// What others do with a file system that no job is to be beside: what Btrfs moves or counts, what
/// reads all of it, what is sent or received, and backups of qubes. A job that went on would work
/// in vain (the kernel lets nobody share into a subvolume that is being sent), or have all of it
/// written twice.
struct OthersAtWork: Sendable {
    let fileSystem: FileSystem
    /// Where the kernel lists processes.
    var processes: FilePath = "/proc"

    /// What it is, in a word or two; nil when nobody does anything of the kind.
    var work: String? {
        if let operation = fileSystem.exclusiveOperation { return operation }
        if fileSystem.isScrubbed { return "scrub" }
        if fileSystem.isRescanningQuotas { return "rescan of quotas" }
        return program
    }

    // MARK: Programs

    /// A program `btrfs` that sends or receives, on this file system as far as its words tell: the
    /// kernel does not say who sends. Or `qvm-backup`, of whatever qubes.
    private var program: String? {
        for name in SmallFile.names(in: processes) where name.allSatisfy(\.isNumber) {
            switch deed(of: name) {
            case .transfers(let transfer): return transfer.kind.rawValue
            case .backsUp: return "qvm-backup"
            case .other, .undecided: continue
            }
        }
        return nil
    }

    /// What a process does, as far as it matters here.
    enum Deed: Equatable {
        /// It moves a subvolume.
        case transfers(Transfer)
        /// It backs qubes up, from its first question to its end, and reads all of them for hours.
        /// The kernel names a script by its file.
        case backsUp
        /// It does something else, or is gone.
        case other
        /// It has not come so far that one could tell.
        case undecided

        /// Pure.
        /// - Parameters:
        ///   - name: as the kernel has it in `comm`; nil when it is gone.
        ///   - commandLine: each word with a zero behind it.
        init(name: String?, commandLine: String?) {
            switch (name, commandLine) {
            case (nil, _), (_, nil): self = .other
            case ("qvm-backup\n", _): self = .backsUp
            // It runs still what it will leave for `btrfs`, or nothing of the kind.
            case (let name, _) where name != "btrfs\n": self = .undecided
            case (_, ""): self = .undecided
            case (_, let commandLine?):
                let words = commandLine.split(separator: "\0").map(String.init)
                self = Transfer(words: words).map(Deed.transfers) ?? .other
            }
        }
    }

    /// What a process does on this file system, or may.
    /// - Parameter process: its number.
    func deed(of process: String) -> Deed {
        let folder = processes.appending(process)
        let name = SmallFile.text(folder.appending("comm"))
        guard name == "btrfs\n" else { return Deed(name: name, commandLine: "") }
        let deed = Deed(name: name, commandLine: SmallFile.text(folder.appending("cmdline")))
        if case .transfers(let transfer) = deed, !mayBeHere(transfer) { return .other }
        return deed
    }

    /// Unless every directory that it names is on another file system: what is not named from the
    /// root may be anywhere.
    private func mayBeHere(_ transfer: Transfer) -> Bool {
        let known = transfer.absolutePaths.compactMap { path -> Bool? in
            guard let folder = try? Descriptor.open(FilePath(path), [.readOnly, .directory])
            else { return nil }
            return (try? fileSystem.subvolume(holding: folder, path: path)) != nil
        }
        return known.isEmpty || known.contains(true)
    }

    /// A command line that moves a subvolume from one file system to another. Pure.
    struct Transfer: Equatable {
        enum Kind: String {
            case send = "btrfs send"
            case receive = "btrfs receive"
        }

        let kind: Kind
        let absolutePaths: [String]

        /// nil for any other. `btrfs` takes the beginning of a command's name for it, where there
        /// is but one command that begins so.
        init?(words: [String]) {
            var left = words.dropFirst()
            while let word = left.first, word.hasPrefix("-") {
                left = left.dropFirst(word == "--format" ? 2 : 1)
            }
            guard let command = left.first else { return nil }
            if command.count > 1, "send".hasPrefix(command) {
                kind = .send
            } else if command.count > 2, "receive".hasPrefix(command) {
                kind = .receive
            } else {
                return nil
            }
            absolutePaths = left.dropFirst().filter { $0.hasPrefix("/") }
        }
    }
}

/// The lock by which programs that we do not know keep jobs waiting, as a backup that goes by
/// generations: whoever holds a lock on this file, shared or not, by `flock(1)` or `fcntl(2)`.
///
/// It is looked up in the kernel's list: to try it by taking it would make `flock --nonblock` of
/// somebody else fail.
struct JobLock: Sendable {
    /// Where it is, if nobody says otherwise.
    static let path = FilePath("/run/lock/qubes-btrfs")

    var path = Self.path
    var processes: FilePath = "/proc"

    /// Who holds it, in a few words; nil when nobody does.
    var holder: String? {
        guard let file = (try? Descriptor.status(of: path))?.identity,
            let locks = SmallFile.text(processes.appending("locks"), limitBytes: 1 << 20),
            let process = Self.holder(ofInode: file.inode, onDevice: file.device, in: locks)
        else { return nil }
        let name = SmallFile.text(processes.appending("\(process)").appending("comm"))
        return "lock of " + (name?.split(separator: "\n").first.map(String.init) ?? "a program")
    }

    /// The process that holds a lock on a file: the first in the kernel's list (`proc_locks(5)`),
    /// whose lines are `1: FLOCK  ADVISORY  WRITE 708 00:13:5678 0 EOF`. Who waits for one has an
    /// arrow in front. Pure.
    static func holder(
        ofInode inode: UInt64, onDevice device: UInt64, in locks: String
    ) -> Int? {
        // As `stat(2)` has a device's two numbers in one (`makedev(3)`).
        let major = device >> 8 & 0xfff | device >> 32 & ~0xfff
        let minor = device & 0xff | device >> 12 & ~0xff
        for line in locks.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 6, words[1] != "->" else { continue }
            let place = words[5].split(separator: ":")
            guard place.count == 3, UInt64(place[0], radix: 16) == major,
                UInt64(place[1], radix: 16) == minor, UInt64(place[2]) == inode
            else { continue }
            return Int(words[4])
        }
        return nil
    }
}
