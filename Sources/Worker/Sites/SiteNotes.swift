// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// What is remembered about one file system from one run to the next, in the state directory.
struct SiteNotes: Codable, Equatable {
    /// Metadata that could not be read.
    struct Damage: Codable, Equatable {
        /// When it was found, seconds since 1970.
        var foundAt: Int64
        /// What could not be read, in words.
        var what: String
    }

    /// A part of a file that could not be read.
    struct Place: Codable, Equatable {
        var subvolume: UInt64
        var number: UInt64
        var offsetBytes: UInt64
        var lengthBytes: UInt64
    }

    /// Until a scrub was clean.
    var damage: Damage?
    /// The places that the last jobs could not read; looked at again before they are told of.
    var unreadable: [Place] = []

    /// What cannot be understood is taken for the worst that it may have said.
    static let illegible = SiteNotes(
        damage: Damage(foundAt: 0, what: "something that was noted and cannot be read any more"))

    /// The most that they take on disk, in bytes.
    static let limitBytes = 64 * 1024

    init(damage: Damage? = nil, unreadable: [Place] = []) {
        self.damage = damage
        self.unreadable = unreadable
    }

    /// Empty bytes are empty notes.
    init(decoding bytes: [UInt8]) {
        if bytes.isEmpty {
            self.init()
        } else {
            self =
                (try? JSONDecoder().decode(SiteNotes.self, from: Data(bytes))) ?? Self.illegible
        }
    }

    func encoded() -> [UInt8] {
        guard self != SiteNotes() else { return [] }
        return (try? JSONEncoder().encode(self)).map(Array.init) ?? []
    }
}

/// The file of those notes. It is opened before the worker forbids itself to write, and written in
/// place: whoever is killed meanwhile leaves what is taken for the worst.
struct NoteFile: Sendable {
    private let file: SiteFile

    /// nil where it cannot be had: then nothing is remembered.
    init?(in directory: SharedDescriptor, for fileSystem: FileSystem) {
        do throws(Errno) {
            file = try SiteFile("notes", in: directory, for: fileSystem)
        } catch {
            let name = SiteFile.name("notes", fileSystem)
            Log.note("\(name) cannot be opened in the state directory: \(error)")
            return nil
        }
    }

    func read() -> SiteNotes {
        file.read(limitBytes: SiteNotes.limitBytes).map(SiteNotes.init(decoding:)) ?? .illegible
    }

    /// Changes the notes, if that changes them.
    func update(_ change: (inout SiteNotes) -> Void) {
        let old = read()
        var notes = old
        change(&notes)
        guard notes != old else { return }
        let bytes = notes.encoded()
        do throws(Errno) {
            // In this order: what is neither the old nor the new is illegible, and counts.
            try file.overwrite([bytes])
            try file.truncate(toBytes: UInt64(bytes.count))
            try file.synchronize()
        } catch {
            Log.note("what is remembered about a file system could not be written: \(error)")
        }
    }
}

/// What btrfs(8) notes of the scrubs of one file system, a line a device.
enum ScrubStatus {
    /// Where it keeps its notes.
    static let directory = FilePath("/var/lib/btrfs")
    private static let limitBytes = 256 * 1024

    /// Whether every device was scrubbed from its beginning to its end since a moment, and nothing
    /// was found that could not be corrected.
    /// - Parameter moment: seconds since 1970.
    static func isClean(
        since moment: Int64, devices: [UInt64], of fileSystem: FileSystem
    ) -> Bool {
        guard let text = text(of: fileSystem) else { return false }
        return isClean(text, since: moment, devices: devices, uuid: uuid(fileSystem))
    }

    /// When the scrub began that came to its end on every device, whatever it has found, in seconds
    /// since 1970; nil where none is known.
    static func lastEnded(devices: [UInt64], of fileSystem: FileSystem) -> Int64? {
        text(of: fileSystem).flatMap {
            lastEnded($0, devices: devices, uuid: uuid(fileSystem))
        }
    }

    private static func text(of fileSystem: FileSystem) -> String? {
        let path = directory.appending("scrub.status.\(uuid(fileSystem))")
        guard let file = try? Descriptor.open(path, [.readOnly, .noFollow]),
            let bytes = try? file.readToEnd(limitBytes: limitBytes)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Pure.
    static func lastEnded(_ text: String, devices: [UInt64], uuid: String) -> Int64? {
        let ended = lines(text, uuid).filter {
            $0.values["finished"] == 1 && $0.values["canceled"] == 0
        }
        let starts = devices.map { device in
            ended.filter { $0.device == device }.compactMap { $0.values["t_start"] }.max()
        }
        // The one that was scrubbed longest ago.
        return starts.contains(nil) ? nil : starts.compactMap(\.self).min()
    }

    /// What is noted of each device.
    private static func lines(
        _ text: String, _ uuid: String
    ) -> [(device: UInt64, values: [Substring: Int64])] {
        text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix(uuid + ":") else { return nil }
            let fields = line.dropFirst(uuid.count + 1).split(separator: "|")
            guard let device = fields.first.flatMap({ UInt64($0) }) else { return nil }
            var values: [Substring: Int64] = [:]
            for field in fields.dropFirst() {
                let parts = field.split(separator: ":")
                if parts.count == 2, let value = Int64(parts[1]) { values[parts[0]] = value }
            }
            return (device, values)
        }
    }

    /// Pure.
    static func isClean(
        _ text: String, since moment: Int64, devices: [UInt64], uuid: String
    ) -> Bool {
        var clean: Set<UInt64> = []
        for (device, values) in lines(text, uuid) {
            guard let started = values["t_start"], started >= moment, values["finished"] == 1,
                values["canceled"] == 0, values["uncorrectable_errors"] == 0,
                values["malloc_errors"] == 0
            else { continue }
            clean.insert(device)
        }
        return !devices.isEmpty && clean.isSuperset(of: devices)
    }

    private static func uuid(_ fileSystem: FileSystem) -> String {
        let digits = Array("0123456789abcdef")
        var uuid = ""
        for (index, byte) in fileSystem.identity.bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { uuid += "-" }
            uuid.append(digits[Int(byte >> 4)])
            uuid.append(digits[Int(byte & 15)])
        }
        return uuid
    }
}
