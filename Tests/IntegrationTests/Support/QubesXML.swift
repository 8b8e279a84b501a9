// SPDX-License-Identifier: GPL-2.0-or-later

/// A qubes.xml of one pool.
enum QubesXML {
    /// A qube with one volume; by itself a template has a root, every other its private one.
    struct Qube {
        let name: String
        let kind: String
        let volume: String

        init(name: String, kind: String = "AppVM", volume: String? = nil) {
            self.name = name
            self.kind = kind
            self.volume = volume ?? (kind == "TemplateVM" ? "root" : "private")
        }

        var folder: String { (kind == "TemplateVM" ? "vm-templates/" : "appvms/") + name }
        /// The volume below the pool.
        var identifier: String { "\(folder)/\(volume)" }
        var image: String { "\(identifier).img" }
    }

    /// - Parameters:
    ///   - pool: the directory of `varlibqubes`.
    ///   - features: of each qube by its name, as elements; of dom0, too.
    static func text(
        pool: String, _ qubes: [Qube], features: (String) -> String = { _ in "" }
    ) -> String {
        let domains = qubes.enumerated().map { index, qube in
            """
            <domain id="domain-\(index + 2)" class="\(qube.kind)">
            <properties><property name="name">\(qube.name)</property></properties>
            <features>\(features(qube.name))</features><tags/>
            <volume-config>
            <volume name="\(qube.volume)" pool="varlibqubes" vid="\(qube.identifier)"
              rw="True" save_on_stop="True" snap_on_start="False" size="1073741824"/>
            </volume-config>
            </domain>
            """
        }
        return """
            <qubes><labels/>
            <pools><pool name="varlibqubes" dir_path="\(pool)" driver="file-reflink"/></pools>
            <properties/><domains>
            <domain id="domain-0" class="AdminVM"><properties/>
            <features>\(features("dom0"))</features><tags/></domain>
            \(domains.joined())
            </domains></qubes>
            """
    }
}
