// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import TestSupport

/// The real daemon on a real Btrfs. `mgmt` sees `work` and `deb`; `vault` is seen by dom0 alone.
final class DaemonRun: DaemonProcess {
    let fileSystem: LoopFileSystem

    /// - Parameters:
    ///   - groups: the dedupe group by qube, as dom0 lists it.
    ///   - wishes: the feature `btrfs.dedupe-group` by qube.
    ///   - inventory: another qubes.xml than the usual one.
    ///   - visible: other qubes that a caller sees.
    ///   - program: another daemon, which has its worker in itself.
    ///   - spoil: what becomes of qubes.xml before it is written.
    init(
        on fileSystem: LoopFileSystem, groups: [String: String] = [:],
        wishes: [String: String] = [:], inventory: String? = nil,
        visible: [String: Set<String>]? = nil, program: String? = nil,
        spoil: (String) -> String = { $0 }
    ) throws {
        self.fileSystem = fileSystem
        var world = QubesdStandIn.World()
        world.visible = visible ?? ["mgmt": ["mgmt", "work", "deb"], "work": ["work"]]
        let usualNames: Set<String> = ["mgmt", "work", "deb", "vault"]
        for name in world.visible.values.reduce(usualNames, { $0.union($1) }) {
            world.qubes[name] = "class=AppVM state=Halted"
        }
        let usual = Self.inventory(pool: fileSystem.pool, groups: groups, wishes: wishes)
        try super.init(
            in: fileSystem.folder, root: fileSystem.path, inventory: spoil(inventory ?? usual),
            world, program: program)
    }

    private static func inventory(
        pool: String, groups: [String: String], wishes: [String: String]
    ) -> String {
        func features(_ name: String) -> String {
            let wish = wishes[name].map {
                #"<feature name="btrfs.dedupe-group">\#($0)</feature>"#
            }
            let lists = Dictionary(grouping: groups.keys.sorted()) { groups[$0, default: ""] }
                .map {
                    #"<feature name="btrfs.dedupe-group.\#($0)">\#($1.joined(separator: " "))"#
                        + "</feature>"
                }
            return (wish ?? "") + (name == "dom0" ? lists.joined() : "")
        }
        let qubes = [
            QubesXML.Qube(name: "deb", kind: "TemplateVM", volume: "private"), .init(name: "work"),
            .init(name: "vault"),
        ]
        return QubesXML.text(pool: pool, qubes, features: features)
    }
}
