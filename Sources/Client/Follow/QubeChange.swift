// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What an event of qubesd says that may have left data on disk which is packed or shared by
/// nobody yet.
enum QubeChange: Equatable {
    /// It has stopped, and what it wrote was committed: qubesd says so when its storage has.
    case stopped(QubeName)
    /// It is new, or got content from elsewhere: made, cloned, restored or imported.
    case filled(QubeName)
    /// It is gone.
    case removed(QubeName)

    /// nil for an event that says nothing of this, and for one whose qube has no name that a qube
    /// may have.
    init?(untrusted untrustedEvent: Envelope) {
        guard case .event(let untrustedSubject, let name, let untrustedFields) = untrustedEvent
        else { return nil }
        func field(_ key: String) -> String? {
            untrustedFields.first { $0.key == key }?.value
        }
        // What is about all of Qubes has no subject, and names the qube in a field.
        let untrustedName =
            name == "domain-add" || name == "domain-delete" ? field("vm") : untrustedSubject
        guard let qube = untrustedName.flatMap({ QubeName($0) }), qube.text != QubeName.machine
        else {
            return nil
        }
        switch name {
        case "domain-shutdown": self = .stopped(qube)
        case "domain-add", "domain-clone-files": self = .filled(qube)
        case "domain-volume-import-end" where field("success") == "True": self = .filled(qube)
        case "domain-delete": self = .removed(qube)
        default: return nil
        }
    }
}

/// What a qube is, as far as it matters here: by qubesd's word for its class.
enum QubeKind: Equatable {
    /// Its root is its own, and committed when it stops.
    case ownRoot
    /// Its root is its template's, its data its own.
    case ownData
    /// Nothing of it is worth a job: it is gone soon, or has no disk here.
    case passing

    /// nil for a class of a later release.
    private init?(untrustedClass: Substring) {
        switch untrustedClass {
        case "TemplateVM", "StandaloneVM": self = .ownRoot
        case "AppVM": self = .ownData
        case "DispVM", "AdminVM", "RemoteVM": self = .passing
        default: return nil
        }
    }

    /// The qubes of a reply of `admin.vm.List`, a line for each: `NAME class=CLASS state=...`.
    /// Lines that are none are passed over.
    static func all(untrustedList: String) -> [QubeName: QubeKind] {
        var kinds: [QubeName: QubeKind] = [:]
        for line in untrustedList.split(separator: "\n") {
            let words = line.split(separator: " ")
            let prefix = "class="
            guard let first = words.first, let name = QubeName(String(first)),
                let word = words.dropFirst().first(where: { $0.hasPrefix(prefix) })
            else { continue }
            kinds[name] = QubeKind(untrustedClass: word.dropFirst(prefix.count))
        }
        return kinds
    }
}
