// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// One small file of the state directory, replaced as a whole. Losing it costs what was looked at
/// over time, so that no failure here stops a report.
final class KeptFile<Content: Codable & Sendable>: Sendable {
    private struct Stored: Codable {
        var version: ProtocolVersion
        var content: Content

        private enum CodingKeys: String, CodingKey { case version }

        init(content: Content) {
            version = .current
            self.content = content
        }

        /// What is kept stands beside the version.
        init(from decoder: any Decoder) throws {
            version = try decoder.container(keyedBy: CodingKeys.self)
                .decode(ProtocolVersion.self, forKey: .version)
            content = try Content(from: decoder)
        }

        func encode(to encoder: any Encoder) throws {
            try content.encode(to: encoder)
            var own = encoder.container(keyedBy: CodingKeys.self)
            try own.encode(version, forKey: .version)
        }
    }

    /// What was kept; nil where there is nothing, or nothing that can be read.
    let found: Content?
    private let directory: SharedDescriptor?
    private let name: String
    private let meaning: String
    private let audit: AuditLog

    /// Reads it. What a later release has written is kept for it, and nothing is written then.
    /// - Parameters:
    ///   - name: the file is `NAME.json`, and `NAME.new` while it is written.
    ///   - meaning: what it is, for the log.
    init(stateDirectory: FilePath, name: String, meaning: String, audit: AuditLog) {
        let directory = try? SharedDescriptor(
            Descriptor.open(stateDirectory, [.readOnly, .directory]))
        let bytes = directory.flatMap { Self.read("\(name).json", in: $0) } ?? []
        let isNewer = NewerFile.holds(bytes)
        if isNewer { audit.trouble("\(meaning) is of a later release, and is kept for it") }
        found = (try? JSONDecoder().decode(Stored.self, from: Data(bytes)))?.content
        self.directory = isNewer ? nil : directory
        self.name = name
        self.meaning = meaning
        self.audit = audit
    }

    private static func read(_ name: String, in directory: SharedDescriptor) -> [UInt8]? {
        guard
            let file = try? directory.descriptor.open(
                beneath: FilePath(name), [.readOnly, .noFollow, .nonBlocking])
        else { return nil }
        return try? file.readToEnd(limitBytes: Limits.eventBytes)
    }

    /// Replaces it.
    func write(_ content: Content) {
        guard let directory else { return }
        do {
            let bytes = try [UInt8](JSONEncoder().encode(Stored(content: content)))
            let file = try directory.descriptor.open(
                beneath: FilePath("\(name).new"),
                [.writeOnly, .create, .truncate, .noFollow], mode: 0o600)
            try file.write(bytes)
            try directory.descriptor.rename(entry: "\(name).new", to: "\(name).json")
        } catch {
            audit.trouble("\(meaning) could not be written: \(error)")
        }
    }
}
