// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import TestSupport
import Testing

/// `qvm-btrfs trim --start`: what was halted is halted afterwards, whatever happens.
@Suite(
    "Trims of halted qubes", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason), .serialized)
struct TrimStartTests {
    private static let mebibytes = 16

    private func world(
        _ qubes: [QubesXML.Qube] = [.init(name: "lab")], running: Set<String> = []
    ) throws -> TrimWorld {
        try TrimWorld(qubes, running: running, mebibytes: Self.mebibytes)
    }

    private func isHalted(_ world: TrimWorld, _ qube: String = "lab") -> Bool {
        world.state(qube) == "Halted" && !world.isMounted(qube)
    }

    @Test("It is started, trimmed, counted while it runs, and shut down again")
    func starts() throws {
        let world = try world()
        let ending = try world.trim("lab", "--start", "--yes", "--json")
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(world.asked == ["lab: fstrim /rw"])
        #expect(world.hasStarted && isHalted(world))
        let record = try #require(try TrimTests.objects(ending.output, "trim").first)
        #expect(record["started"] as? Bool == true && record["halted"] as? Bool == true)
        let brought = try #require(record["brought"] as? [String: NSNumber])
        // What it was before its start has all of it.
        #expect(brought["heldBytes"]?.int64Value ?? 0 > 3 << 20)
        #expect(brought["emptiedBytes"]?.int64Value ?? 0 > 3 << 20)
    }

    @Test(
        "However the trim ends, the qube is halted",
        arguments: [
            "exit 127", "exit 1", "kill -9 $$", "sleep 600", "umount -l \"$mount\"; exit 3",
        ])
    func fails(manner: String) throws {
        let world = try world()
        try world.set("lab", manner)
        let ending = try world.trim("lab", "--start", "--yes", "--time-limit", "3s")
        #expect(ending.status == 10, "\(ending.errors)")
        #expect(ending.errors.contains("lab: cannot trim:"))
        #expect(world.hasStarted && isHalted(world))
    }

    @Test("Ctrl-C, once and twice, and what else asks us to end", arguments: [2, 15, 1, 202])
    func interrupted(signal: Int32) throws {
        let world = try world([.init(name: "lab"), .init(name: "other")])
        try world.set("lab", "sleep 600")
        let client = try world.start("trim", "lab", "other", "--start", "--yes")
        world.waitUntilAsked()
        client.signal(signal % 100)
        if signal > 100 { client.signal(SIGTERM) }
        #expect(client.wait() == 130)
        #expect(world.asked == ["lab: fstrim /rw"])
        #expect(isHalted(world) && isHalted(world, "other"))
    }

    @Test("Ctrl-C while it is still starting, and again")
    func interruptedStart() throws {
        let world = try world()
        let gate = world.holdStarts()
        let client = try world.start("trim", "lab", "--start", "--yes")
        gate.waitUntilReached()
        // Two of one kind may come as one.
        for signal in [SIGINT, SIGTERM, SIGHUP] { client.signal(signal) }
        gate.open()
        #expect(client.wait() == 130)
        #expect(world.asked.isEmpty)
        #expect(isHalted(world))
    }

    @Test("A start that fails, and one that qubesd does not know to have failed")
    func brokenStart() throws {
        let world = try world()
        world.daemon.qubesd.change { $0.broken = ["lab"] }
        let ending = try world.trim("lab", "--start", "--yes")
        #expect(ending.status == 1)
        #expect(ending.errors.contains("admin.vm.Start of 'lab' failed: QubesException"))
        #expect(isHalted(world) && world.asked.isEmpty)
    }

    @Test("One that does not go down is named, with the commands, and never killed")
    func stubborn() throws {
        let world = try world()
        world.daemon.qubesd.change { $0.stubborn = ["lab"] }
        let ending = try world.trim("lab", "--start", "--yes", "--time-limit", "2s")
        #expect(ending.status == 10)
        let text = ending.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("has not shut down within 2 s. 'qvm-shutdown --wait lab'"))
        #expect(text.contains("'qvm-kill lab' loses what it has not written"))
        #expect(!world.daemon.qubesd.calls.contains { $0.contains("Kill") })
        #expect(world.state("lab") == "Running")
    }

    @Test("Nobody can be asked: nothing is started without --yes")
    func asks() throws {
        let world = try world()
        let ending = try world.trim("lab", "--start")
        #expect(ending.status == 2)
        #expect(ending.errors.contains("give --yes"))
        #expect(!world.hasStarted)
    }

    @Test("What gets devices, what others run from, and what would start others is not started")
    func obstacles() throws {
        let names = ["pci", "usb", "offline", "online", "unknown"]
        let world = try world(
            names.map { .init(name: $0) } + [.init(name: "net"), .init(name: "up")],
            running: ["up"])
        world.daemon.qubesd.change { world in
            world.answers["admin.vm.device.pci.Assigned+ pci"] = "dom0+00_14.0 mode='required'\n"
            // As Qubes 4.2 calls it.
            world.answers["admin.vm.device.block.Assigned+ usb"] = nil
            world.answers["admin.vm.device.block.List+ usb"] = "sys-usb+sda persistent=yes\n"
            world.answers["admin.vm.property.Get+netvm offline"] = "default=True type=vm net"
            world.answers["admin.vm.property.Get+netvm online"] = "default=True type=vm up"
            world.answers["admin.vm.device.pci.Assigned+ unknown"] = nil
        }
        let ending = try Command.run(world.words(names + ["--start", "--yes"]))
        #expect(ending.status == 10)
        let text = ending.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("pci: not started: devices are attached to it at its start (pci)"))
        #expect(text.contains("usb: not started: devices are attached to it at its start (block)"))
        #expect(text.contains("offline: not started: net (its netvm) does not run"))
        #expect(text.contains("unknown: not started:"))
        #expect(world.asked == ["online: fstrim /rw"])
        for name in names { #expect(isHalted(world, name)) }
        #expect(isHalted(world, "net") && world.state("up") == "Running")
        let starts = world.daemon.qubesd.calls.filter { $0.hasPrefix("admin.vm.Start") }
        #expect(starts == ["admin.vm.Start+ dom0 name online"])
    }
}
