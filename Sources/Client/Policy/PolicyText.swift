// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// The lines of qrexec policy that let a qube call the service about some qubes. Pure.
///
/// A caller sees no qube that `admin.vm.List` does not show it, whatever else it may call; and
/// `@anyvm` does not stand for dom0, which as a target is the machine as a whole.
struct PolicyText: Equatable, Sendable {
    /// The file below dom0's `/etc/qubes/policy.d` that is the user's own.
    static let file = "30-btrfs.policy"
    /// The call by which Qubes says which qubes a caller may see.
    static let visibility = "admin.vm.List"

    /// What a caller may ask about.
    enum Target: Equatable, Sendable {
        case qube(QubeName)
        case tag(TagName)
        /// Every qube by name, and the machine as a whole.
        case all

        /// As policy writes them.
        var tokens: [String] {
            switch self {
            // Policy's own word for it; the name would be taken for a qube's.
            case .qube(let name) where name.text == ServiceClient.machine: ["@adminvm"]
            case .qube(let name): [name.text]
            case .tag(let name): ["@tag:\(name.text)"]
            case .all: ["@anyvm", "@adminvm"]
            }
        }

        /// For people.
        var text: String {
            switch self {
            case .qube(let name) where name.text == ServiceClient.machine: "the machine as a whole"
            case .qube(let name): name.text
            case .tag(let name): "qubes with the tag \(name.text)"
            case .all: "every qube and the machine as a whole"
            }
        }
    }

    /// Services that go together, and what one may do who may call them.
    struct Group: Equatable, Sendable {
        let says: String
        let lines: [String]
    }

    let admin: QubeName
    let targets: [Target]
    let isReadOnly: Bool
    /// What a trim needs beyond all that, and nothing else.
    var isTrim = false

    /// In the order of the file.
    var groups: [Group] {
        if isTrim { return trimGroups }
        let whose = targets.map(\.text).joined(separator: ", ")
        let tokens = targets.flatMap(\.tokens)
        // The list on dom0 holds those jobs alone that the caller may see.
        let list = tokens.contains("@adminvm") ? tokens : tokens + ["@adminvm"]
        var groups = [
            Group(
                says: "\(admin.text) sees that these are there: \(whose)",
                lines: lines([Self.visibility], tokens)),
            Group(
                says: "\(admin.text) reads what they take on disk, and how jobs on them go",
                lines: lines(Self.reading.map(\.rawValue), tokens)
                    + lines([ServiceName.jobList.rawValue], list)),
        ]
        if isReadOnly { return groups }
        groups.append(
            Group(
                says: "\(admin.text) estimates, verifies and changes how their content lies on"
                    + " disk",
                lines: lines(Self.working.map(\.rawValue), tokens)
                    + lines([ServiceName.newData.rawValue], tokens.filter { $0 != "@adminvm" })))
        groups.append(
            Group(
                says: "\(admin.text) ends and holds jobs on them",
                lines: lines(Self.controlling.map(\.rawValue), tokens)))
        return groups
    }

    /// The lines for the file, each group below its comment.
    var text: String {
        groups.map { "# \($0.says)\n" + $0.lines.map { $0 + "\n" }.joined() }
            .joined(separator: "\n")
    }

    /// The line that allows one call.
    static func line(_ service: String, from admin: String, to token: String) -> String {
        let name = service + String(repeating: " ", count: max(0, width - service.utf8.count))
        return "\(name) * \(admin) \(token) allow target=dom0"
    }

    private static let reading: [ServiceName] = [.report, .check, .jobWatch]
    private static let working: [ServiceName] = [
        .estimate, .verify, .compress, .dedupe, .optimize, .defragment, .sparsify,
    ]
    private static let controlling: [ServiceName] = [.jobCancel, .jobPause, .jobResume]
    private static let width = ServiceName.allCases.map(\.rawValue.utf8.count).max() ?? 0

    private func lines(_ services: [String], _ tokens: [String]) -> [String] {
        services.flatMap { service in
            tokens.map { Self.line(service, from: admin.text, to: $0) }
        }
    }
}

/// A tag's name, as Qubes has them: a letter or `_`, then letters, digits, `_`, `-` and `.`.
struct TagName: Equatable, Sendable {
    let text: String

    /// nil when it is none.
    init?(_ text: String) {
        guard let first = text.utf8.first, first.isLetter || first == UInt8(ascii: "_"),
            text.utf8.count <= Limits.argumentBytes,
            text.utf8.allSatisfy({ $0.isLetter || $0.isDigit || "_-.".utf8.contains($0) })
        else { return nil }
        self.text = text
    }
}
