// SPDX-License-Identifier: GPL-2.0-or-later

/// A qubes.xml of one pool.
enum QubesXML {
    /// A qube with one volume; a template has a root, every other its private one.
    struct Qube {
        let name: String
        var kind = "AppVM"
        /// Its features, as elements.
        var features = ""

        var volume: String { kind == "TemplateVM" ? "root" : "private" }
        var folder: String { (kind == "TemplateVM" ? "vm-templates/" : "appvms/") + name }
        /// The image below the pool.
        var image: String { "\(folder)/\(volume).img" }
    }

    /// - Parameter pool: the directory of `varlibqubes`.
    static func text(pool: String, _ qubes: [Qube]) -> String {
        let domains = qubes.enumerated().map { index, qube in
            """
            <domain id="domain-\(index + 2)" class="\(qube.kind)">
            <properties><property name="name">\(qube.name)</property></properties>
            <features>\(qube.features)</features><tags/>
            <volume-config><volume name="\(qube.volume)" pool="varlibqubes"
              vid="\(qube.folder)/\(qube.volume)" rw="True" save_on_stop="True"
              snap_on_start="False" size="1073741824"/></volume-config>
            </domain>
            """
        }
        return """
            <qubes><labels/>
            <pools><pool name="varlibqubes" dir_path="\(pool)" driver="file-reflink"/></pools>
            <properties/><domains>
            <domain id="domain-0" class="AdminVM"><properties/><features/><tags/></domain>
            \(domains.joined())
            </domains></qubes>
            """
    }
}
