// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes

/// A qubes.xml as qubesd writes it: a template, a qube and a disposable that start from it.
enum SampleInventory {
    static let xml = document(
        domains: """
            <domain id="domain-0" class="AdminVM"><properties><property name="label">black\
            </property></properties><features><feature name="btrfs.compress">zstd:9</feature>\
            </features><tags/></domain>
            <domain id="domain-2" class="TemplateVM">
              <properties><property name="label">red</property><property name="name">deb</property>
                <property name="qid">2</property>
                <property name="uuid">6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c1</property></properties>
              <features/><tags/><devices class="pci"/>
              <volume-config>
                <volume name="root" pool="varlibqubes" vid="vm-templates/deb/root"
                  revisions_to_keep="1" rw="True" save_on_stop="True" snap_on_start="False"
                  size="21474836480"/>
                <volume name="kernel" pool="linux-kernel" vid="6.12.59-1.fc41"
                  revisions_to_keep="0" rw="False" save_on_stop="False" snap_on_start="False"/>
              </volume-config>
            </domain>
            <domain id="domain-7" class="AppVM">
              <properties><property name="name">work</property><property name="qid">7</property>
                <property name="netvm"></property>
                <property name="template">deb</property></properties>
              <features><feature name="servicevm">1</feature><feature name="a&amp;b">&lt;&#xe4;
            </feature><feature name="empty"/></features>
              <tags><tag name="created-by-mgmt"/></tags>
              <volume-config>
                <volume name="root" pool="varlibqubes" vid="appvms/work/root"
                  revisions_to_keep="1" rw="True" save_on_stop="False" snap_on_start="True"
                  size="21474836480" source="vm-templates/deb/root"/>
                <volume name="private" pool="varlibqubes" vid="appvms/work/private"
                  revisions_to_keep="2" rw="True" save_on_stop="True" snap_on_start="False"
                  size="2147483648"/>
                <volume name="volatile" pool="varlibqubes" vid="appvms/work/volatile"
                  revisions_to_keep="1" rw="True" save_on_stop="False" snap_on_start="False"
                  ephemeral="True" size="10737418240"/>
                <volume name="kernel" pool="linux-kernel" vid="" revisions_to_keep="0" rw="False"/>
              </volume-config>
            </domain>
            """)

    /// A document with two pools and these domains.
    static func document(domains: String) -> String {
        """
        <?xml version='1.0' encoding='utf-8'?>
        <qubes>
          <labels><label id="label-1" color="0xcc0000">red</label></labels>
          <pools>
            <pool name="varlibqubes" dir_path="/var/lib/qubes" driver="file-reflink"
              revisions_to_keep="1" ephemeral_volatile="False"/>
            <pool name="linux-kernel" dir_path="/var/lib/qubes/vm-kernels" driver="linux-kernel"/>
          </pools>
          <properties><property name="default_template">deb</property></properties>
          <domains>\(domains)</domains>
        </qubes>
        """
    }

    /// A document with one qube `work`, whose sections are given.
    static func qube(
        id: String = "domain-7", kind: String = "AppVM", name: String? = "work",
        properties: String = "", sections: String = ""
    ) -> String {
        let nameProperty = name.map { "<property name=\"name\">\($0)</property>" } ?? ""
        return document(
            domains: """
                <domain id="\(id)" class="\(kind)"><properties>\(nameProperty)\(properties)\
                </properties>\(sections)</domain>
                """)
    }

    /// A document with one volume, whose attributes are given.
    static func volume(_ attributes: String) -> String {
        qube(sections: "<volume-config><volume \(attributes)/></volume-config>")
    }

    static func parse(_ xml: String) throws(InventoryError) -> Inventory {
        try Inventory.parse(Array(xml.utf8))
    }
}
