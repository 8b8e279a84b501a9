// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Qubes

/// Whose feature decides, in the order of Qubes' own inherited features.
@Suite struct SettingOriginTests {
    /// What holds, and whose feature says so.
    private struct Found<Value: Equatable>: Equatable {
        let value: Value
        let origin: SettingOrigin

        init(_ value: Value, _ origin: SettingOrigin) {
            self.value = value
            self.origin = origin
        }
    }

    /// `work` starts from `deb`, and `disp1` from `work`.
    private func level(
        _ qube: String, _ values: [String: String]
    ) throws -> Found<Int?> {
        let inventory = SettingsTests().inventory(values.mapValues { ["btrfs.compress": $0] })
        let found = try inventory.compression(of: try #require(inventory.qube(named: qube)))
        return Found(found.value, found.origin)
    }

    @Test func `The qube's own wins over its template's, and that over dom0's`() throws {
        let all = ["dom0": "zstd:1", "deb": "zstd:2", "work": "zstd:4"]
        #expect(try level("work", all) == Found(4, .own))
        let two = ["dom0": "zstd:1", "deb": "zstd:2"]
        #expect(try level("work", two) == Found(2, .template("deb")))
        #expect(try level("work", ["dom0": "zstd:1"]) == Found(1, .admin))
        #expect(try level("work", [:]) == Found(nil, .builtIn))
        // What another template says is nothing to it.
        #expect(try level("work", ["fed": "zstd:2"]) == Found(nil, .builtIn))
        #expect(try level("dom0", ["dom0": "zstd:1"]) == Found(1, .admin))
    }

    @Test func `A disposable has what its template starts from`() throws {
        #expect(try level("disp1", ["deb": "zstd:2"]) == Found(2, .template("deb")))
        let both = ["deb": "zstd:2", "work": "zstd:4"]
        #expect(try level("disp1", both) == Found(4, .template("work")))
    }

    @Test func `Whether to trim is passed on, and means 1 or 0`() throws {
        func trim(_ qube: String, _ values: [String: String]) throws -> Found<Bool> {
            let inventory = SettingsTests().inventory(values.mapValues { ["btrfs.trim": $0] })
            let found = try inventory.trim(of: try #require(inventory.qube(named: qube)))
            return Found(found.value, found.origin)
        }
        #expect(try trim("work", [:]) == Found(false, .builtIn))
        #expect(try trim("work", ["dom0": "1"]) == Found(true, .admin))
        #expect(try trim("work", ["dom0": "1", "deb": "0"]) == Found(false, .template("deb")))
        #expect(try trim("disp1", ["deb": "1"]) == Found(true, .template("deb")))
        #expect(try trim("work", ["deb": "1", "work": ""]) == Found(false, .own))
        #expect(throws: SettingsError.self) { try trim("work", ["deb": "yes"]) }
        // No job goes by it: what is wrong with it keeps none from working.
        let wrong = SettingsTests().inventory(["work": ["btrfs.trim": "yes"]])
        let work = try #require(wrong.qube(named: "work"))
        #expect(wrong.settingErrors(of: work).isEmpty)
        #expect(wrong.trimError(of: work)?.description.hasSuffix("work btrfs.trim 1") == true)
        #expect(try !SettingsTests().settings("work", in: wrong).skip)
    }

    @Test func `An empty feature of a template keeps dom0's away`() throws {
        #expect(try level("work", ["dom0": "zstd:1", "deb": ""]) == Found(nil, .template("deb")))
        #expect(try level("work", ["dom0": "zstd:1", "work": ""]) == Found(nil, .own))
    }

    @Test func `What jobs go by is what is shown`() throws {
        let inventory = SettingsTests().inventory([
            "deb": ["btrfs.compress": "off", "btrfs.skip": "1"]
        ])
        for qube in ["work", "disp1", "deb"] {
            let settings = try SettingsTests().settings(qube, "private", in: inventory)
            #expect(settings.compressionLevel == 0 && settings.skip, "\(qube)")
        }
        #expect(try !SettingsTests().settings("alone", in: inventory).skip)
    }

    @Test func `A template's group is its own choice, and says nothing of others`() throws {
        let features = [
            "dom0": ["btrfs.dedupe-group.x": "deb work", "btrfs.dedupe-group.y": "deb"],
            "deb": ["btrfs.dedupe-group": "y"],
        ]
        let inventory = SettingsTests().inventory(features)
        func group(_ name: String) throws -> Found<String> {
            let qube = try #require(inventory.qube(named: name))
            let volume = try #require(qube.volumes.first)
            let found = try inventory.dedupeGroup(of: volume, of: qube)
            return Found(found.value, found.origin)
        }
        #expect(try group("deb") == Found("named:y", .own))
        #expect(try group("work") == Found("named:x", .admin))
        #expect(try group("fed") == Found("templates:dom0", .builtIn))
    }

    @Test func `A wrong value is named at the template that has it, and each only once`() throws {
        let inventory = SettingsTests().inventory([
            "deb": ["btrfs.compress": "lzo", "btrfs.skip": "yes"],
            "work": ["btrfs.dedupe-group": "a b"],
        ])
        let work = try #require(inventory.qube(named: "work"))
        let errors = inventory.settingErrors(of: work)
        #expect(errors.map(\.qube) == ["deb", "deb", "work"])
        #expect(errors.map(\.feature) == [.compress, .skip, .dedupeGroup])
        #expect(errors.first?.command == "qvm-features deb btrfs.compress zstd:3")
        #expect(errors.first?.accepted == "zstd:-15 to zstd:19, zstd or off")
        #expect(errors.first?.fault.contains("qvm-features") == false)
        // One that is overridden is not looked at.
        let own = SettingsTests().inventory([
            "deb": ["btrfs.compress": "lzo"], "work": ["btrfs.compress": "zstd:3"],
        ])
        #expect(own.settingErrors(of: try #require(own.qube(named: "work"))).isEmpty)
    }

    @Test(arguments: [nil, "deb"])
    func `What a template that cannot be read has said is not guessed`(name: String?) throws {
        let work = Qube(name: "work", kind: "AppVM", template: "deb")
        let dom0 = Qube(name: "dom0", kind: Qube.adminKind)
        func inventory(_ leftOut: [LeftOut]) -> Inventory {
            Inventory(pools: [], qubes: [dom0, work], leftOut: leftOut)
        }
        let error = InventoryError(.namespace, "domain 'domain-2'", line: 3)
        let unread = inventory([LeftOut(kind: .qube, qube: name, error: error)])
        // One sentence for three features.
        #expect(unread.settingErrors(of: work).map(\.qube) == ["deb"])
        #expect(unread.settingErrors(of: work).first?.value == nil)
        // One that is only gone has said nothing, and so has another that cannot be read.
        #expect(inventory([]).settingErrors(of: work).isEmpty)
        let other = inventory([LeftOut(kind: .qube, qube: "fed", error: error)])
        #expect(other.settingErrors(of: work).isEmpty)
    }

    @Test func `Templates in a circle end`() throws {
        let qubes = ["a", "b"].map {
            Qube(name: $0, kind: "AppVM", template: $0 == "a" ? "b" : "a")
        }
        let inventory = Inventory(pools: [], qubes: qubes)
        #expect(try inventory.skip(of: qubes[0]).value == false)
    }

    @Test func `The template at the greatest depth still counts, and no other`() throws {
        let depth = Inventory.templateDepth
        let qubes = (0...(depth + 1)).map { number in
            Qube(
                name: "q\(number)", kind: "AppVM", template: "q\(number + 1)",
                features: number == depth + 1 ? ["btrfs.skip": "1"] : [:])
        }
        let inventory = Inventory(pools: [], qubes: qubes)
        #expect(try inventory.skip(of: qubes[1]).value)
        #expect(try !inventory.skip(of: qubes[0]).value)
    }
}
