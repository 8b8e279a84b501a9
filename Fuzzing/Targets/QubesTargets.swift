// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

@testable import Qubes
@testable import Service

/// A qubes.xml, the settings in it, and the orders that a worker would get.
@Sendable func fuzzInventory(_ untrusted: [UInt8]) {
    let inventory: Inventory
    do throws(InventoryError) {
        inventory = try Inventory.parse(untrusted)
    } catch {
        demand(isOneLine("\(error)"), "an error is one line: \(error)")
        return
    }
    for pool in inventory.imagePools {
        demand(pool.directory?.hasPrefix("/") == true, "an image pool has a directory")
    }
    for qube in inventory.qubes {
        demand(Qubes.Names.isQubeName(qube.name), "a qube has a name")
        for volume in qube.volumes { check(volume, of: qube, inventory) }
    }
    let names = Set(inventory.qubes.map(\.name))
    demand(names.count == inventory.qubes.count, "no name stands twice")
    for thing in inventory.leftOut {
        demand(isPlainText("\(thing.error)"), "what is left out is told in plain words")
        demand(isPlainText(thing.command), "what mends it is plain text")
    }
    let pools = Set((inventory.pools + inventory.protection.pools).map(\.name))
    demand(
        pools.count == inventory.pools.count + inventory.protection.pools.count,
        "no pool stands twice")
    for volume in inventory.protection.volumes {
        demand(pools.contains(volume.pool), "a protected volume is in a pool that is known")
        demand(Qubes.Names.isPathBelow(volume.identifier), "it stays below its pool")
    }
    order(inventory)
}

private func check(_ volume: Qubes.Volume, of qube: Qube, _ inventory: Inventory) {
    if inventory.imagePools.contains(where: { $0.name == volume.pool }) {
        let parts = volume.identifier.split(separator: "/", omittingEmptySubsequences: false)
        demand(
            parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }, "it stays below its pool")
    }
    do throws(SettingsError) {
        let settings = try inventory.settings(for: volume, of: qube)
        demand(settings.compressionLevel.map { (-15...19).contains($0) } ?? true, "a level is one")
    } catch {
        demand(isPlainText("\(error)"), "a feature's error is printable: \(error)")
    }
}

/// What is said of features is short and harmless, and names nobody whom the caller does not see.
private func settings(_ orders: OrderMaker, seen: Set<String>) {
    let findings = orders.findings() + orders.settingFindings()
    demand(findings.count <= 3 * Limits.namedItems, "findings are bounded")
    for finding in findings {
        demand(isOneLine(finding.message), "a finding is printable: \(finding.message)")
        demand(
            finding.about == .machine || seen.contains(finding.subject),
            "a finding names what the caller sees")
    }
}

/// A caller that sees every second qube asks about the machine.
private func order(_ inventory: Inventory) {
    let seen = Set(inventory.qubes.enumerated().filter { $0.offset % 2 == 1 }.map(\.element.name))
    let target = Target(
        caller: Caller(name: "admin", visibility: .qubes(seen)), inventory: inventory, qube: nil,
        systemDirectories: ["/usr"])
    guard let orders = try? OrderMaker(target, .whole) else { return }
    let (order, problems) = orders.order(.report)
    demand(
        order.volumes.count(where: \.skipped) >= inventory.protection.volumes.count,
        "what is protected is left alone")
    for volume in order.volumes where volume.selected {
        demand(seen.contains(volume.qube), "only what the caller sees is selected")
    }
    settings(orders, seen: seen)
    for problem in problems {
        demand(seen.contains(problem.subject), "a problem names what the caller sees")
    }
}

/// A reply of qubesd, read as each of the calls would.
@Sendable func fuzzQubesd(_ untrusted: [UInt8]) {
    let call = Call(method: "admin.vm.List", source: "admin")
    do throws(QubesdError) {
        let content = try Reply(untrusted, call).content()
        for line in try Reply(content, call).lines() {
            guard let qube = VisibleQube(untrusted: line) else { continue }
            demand(Qubes.Names.isQubeName(qube.name), "a qube has a name")
        }
    } catch {
        demand(isPlainText("\(error)"), "an error is printable: \(error)")
    }
}
