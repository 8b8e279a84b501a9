// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What a call is about: the machine, a part of it, a qube, or one of a qube's volumes. Written as
/// `qvm-volume` writes it, `QUBE` or `QUBE:VOLUME`; of `dom0`, which is the machine, the parts are
/// `dom0:system`, its own files, and `dom0:pool.NAME`, what lies on one storage pool.
struct Place: Hashable, Sendable {
    /// The target of the call.
    let target: String
    /// The argument of the call: a volume, a part of the machine, or empty.
    let argument: String

    /// All that the caller may see.
    static let machine = Place(target: ServiceClient.machine, argument: "")

    private init(target: String, argument: String) {
        self.target = target
        self.argument = argument
    }

    /// nil when it is none.
    init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let qube = QubeName(String(parts[0])) else { return nil }
        target = qube.text
        guard parts.count == 2 else {
            argument = ""
            return
        }
        guard let name = PlainName(String(parts[1])),
            name.text.utf8.count <= Limits.argumentBytes
        else { return nil }
        argument = name.text
    }

    /// It is the machine, or a part of it.
    var isOfMachine: Bool { target == ServiceClient.machine }

    /// It is dom0's own files.
    var isSystem: Bool { isOfMachine && argument == "system" }

    /// As it is written.
    var text: String { argument.isEmpty ? target : "\(target):\(argument)" }
}
