// SPDX-License-Identifier: GPL-2.0-or-later

/// What a qube is doing. Only a halted one leaves its images alone.
public enum QubeState: Equatable, Sendable {
    /// It is off.
    case halted
    /// Anything else, by qubesd's name for it: `Running`, `Paused`, `Transient`, `Dying`.
    case inUse(String)

    /// Its images may be written to.
    public var isInUse: Bool { self != .halted }

    init?(untrusted: String) {
        guard Names.isPlain(untrusted, limitBytes: 32) else { return nil }
        self = untrusted == "Halted" ? .halted : .inUse(untrusted)
    }
}

/// A qube as `admin.vm.List` gives it.
public struct VisibleQube: Equatable, Sendable {
    /// Its name.
    public let name: String
    /// Its class: `TemplateVM`, `AppVM`, and so on.
    public let kind: String
    /// What it is doing.
    public let state: QubeState
    /// Its UUID; Qubes before 4.3 gives none.
    public let uuid: String?

    /// Makes one.
    public init(name: String, kind: String, state: QubeState, uuid: String? = nil) {
        self.name = name
        self.kind = kind
        self.state = state
        self.uuid = uuid
    }

    /// Reads `NAME class=K state=S uuid=U`. Keys that a later Qubes may add are left aside.
    init?(untrusted line: String) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard let name = words.first, Names.isQubeName(name) else { return nil }
        var fields: [String: String] = [:]
        for word in words.dropFirst() {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, fields.updateValue(parts[1], forKey: parts[0]) == nil else {
                return nil
            }
        }
        guard let kind = fields["class"], Names.isPlain(kind),
            let state = fields["state"].flatMap({ QubeState(untrusted: $0) })
        else { return nil }
        if let uuid = fields["uuid"], !Names.isUUID(uuid) { return nil }
        self.init(name: name, kind: kind, state: state, uuid: fields["uuid"])
    }
}
