// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@Suite struct QubesdTests {
    static let uuid = "6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c1"

    let world = QubesdStandIn.World(
        qubes: [
            "dom0": "class=AdminVM state=Running",
            "work": "class=AppVM state=Halted uuid=\(uuid)",
            "vault": "class=AppVM state=Paused uuid=6F1C0C3E-8d7b-4f0e-9c55-0a4be1a7d2c2",
        ],
        visible: ["mgmt": ["work"], "nobody": []],
        volumes: [
            "work:private": "pool=varlibqubes\nvid=appvms/work/private\nsource=\npath=a=b\n"
        ],
        pools: ["varlibqubes": "driver=file-reflink\ndir_path=/var/lib/qubes\n"])

    /// A client of a stand-in that answers every call with these bytes.
    func client(sending reply: String) throws -> (QubesdStandIn, Qubesd) {
        var world = world
        world.behaviour = .sends(Array(reply.utf8))
        let server = try QubesdStandIn(world)
        return (server, Qubesd(socketPath: server.path))
    }

    /// The reason why a call fails at a stand-in that behaves like this.
    func reason(
        of behaviour: QubesdStandIn.Behaviour,
        _ call: (Qubesd) throws -> Void = { _ = try $0.state(of: "work") }
    ) throws -> QubesdError.Reason? {
        var world = world
        world.behaviour = behaviour
        let server = try QubesdStandIn(world)
        let client = Qubesd(socketPath: server.path, timeoutSeconds: 1)
        return withExtendedLifetime(server) {
            #expect(throws: QubesdError.self) { try call(client) }?.reason
        }
    }

    @Test func `A caller sees the qubes that qubesd shows that caller, and no other`() throws {
        let server = try QubesdStandIn(world)
        let seen = try Qubesd(socketPath: server.path).visibleQubes(to: "mgmt")
        #expect(
            seen == [
                VisibleQube(name: "work", kind: "AppVM", state: .halted, uuid: Self.uuid)
            ])
        #expect(server.calls == ["admin.vm.List+ mgmt name dom0"])
    }

    @Test func `dom0 sees all qubes, those without a UUID among them`() throws {
        let server = try QubesdStandIn(world)
        let seen = try Qubesd(socketPath: server.path).visibleQubes(to: "dom0")
        #expect(seen.map(\.name) == ["dom0", "vault", "work"])
        #expect(seen.first?.uuid == nil)
    }

    @Test(arguments: ["nobody", "denied"])
    func `A caller that may see nothing gets no qubes`(caller: String) throws {
        let server = try QubesdStandIn(world)
        #expect(try Qubesd(socketPath: server.path).visibleQubes(to: caller) == [])
    }

    @Test func `A change of what a caller may see shows at the next call`() throws {
        let server = try QubesdStandIn(world)
        let client = Qubesd(socketPath: server.path)
        _ = try client.visibleQubes(to: "mgmt")
        server.change { $0.visible["mgmt"] = [] }
        #expect(try client.visibleQubes(to: "mgmt") == [])
    }

    @Test func `A halted qube is not in use`() throws {
        let server = try QubesdStandIn(world)
        let state = try Qubesd(socketPath: server.path).state(of: "work")
        #expect(state == .halted)
        #expect(!state.isInUse)
        #expect(server.calls == ["admin.vm.CurrentState+ dom0 name work"])
    }

    @Test func `Every state but Halted is in use`() throws {
        let server = try QubesdStandIn(world)
        let client = Qubesd(socketPath: server.path)
        for state in ["Running", "Paused", "Transient", "Dying", "halted", "NA"] {
            server.change { $0.qubes["vault"] = "class=AppVM state=\(state)" }
            #expect(try client.state(of: "vault") == .inUse(state))
            #expect(try client.state(of: "vault").isInUse)
        }
    }

    @Test func `The properties of a volume keep what stands behind the first equals sign`() throws {
        let server = try QubesdStandIn(world)
        let info = try Qubesd(socketPath: server.path).volumeInfo(of: "work", volume: "private")
        #expect(
            info == [
                "pool": "varlibqubes", "vid": "appvms/work/private", "source": "", "path": "a=b",
            ])
        #expect(server.calls == ["admin.vm.volume.Info+private dom0 name work"])
    }

    @Test func `The properties of a pool are asked of dom0`() throws {
        let server = try QubesdStandIn(world)
        let info = try Qubesd(socketPath: server.path).poolInfo("varlibqubes")
        #expect(info == ["driver": "file-reflink", "dir_path": "/var/lib/qubes"])
        #expect(server.calls == ["admin.pool.Info+varlibqubes dom0 name dom0"])
    }

    @Test(arguments: ["", "a b", "a\0b", "a\n", "-a", "@default", "ä", "1a", "../a"])
    func `A name that could make another call of it is never sent`(name: String) throws {
        let server = try QubesdStandIn(world)
        let client = Qubesd(socketPath: server.path)
        #expect(throws: QubesdError.self) { try client.visibleQubes(to: name) }
        #expect(throws: QubesdError.self) { try client.state(of: name) }
        #expect(throws: QubesdError.self) { try client.volumeInfo(of: name, volume: "root") }
        #expect(throws: QubesdError.self) { try client.volumeInfo(of: "work", volume: "\(name) ") }
        #expect(throws: QubesdError.self) { try client.poolInfo("\(name)+") }
        #expect(server.calls.isEmpty)
    }

    @Test func `An exception comes with its type, and one that says no such qube is told`() throws {
        let server = try QubesdStandIn(world)
        let error = #expect(throws: QubesdError.self) {
            try Qubesd(socketPath: server.path).state(of: "ghost")
        }
        #expect(
            error?.reason
                == .exception(kind: "QubesVMNotFoundError", message: "'No such domain: %r'"))
        #expect(error?.isNoSuchQube == true)
    }

    @Test func `What an exception says is escaped and cut before it can reach a log`() throws {
        let long = String(repeating: "x", count: 300)
        let (server, client) = try client(sending: "2\0SomeError\0trace\0\u{1b}[2J\n\(long)\0")
        let error = #expect(throws: QubesdError.self) { try client.state(of: "work") }
        let text = try #require(error?.description)
        #expect(text.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        #expect(text.utf8.count < 400)
        #expect(server.calls.count == 1)
    }

    @Test(arguments: [
        "0", "1\0dom0\0event\0\0", "3\0", "garbage", "\0\0\0\0", "2\0", "2\0Type\0", "2\0Type\0\0",
        "2\0\u{1b}[2J\0\0text\0", "2\0\0\0text\0", "0\0", "0\0power_state=", "0\0state=Halted",
        "0\0power_state=Halted power_state=Running", "0\0power_state=Halted\u{7}",
        "0\0mem=1 power_state=Halted\0", "0\0xpower_state=Halted",
    ])
    func `A reply that cannot be is an error and not a state`(reply: String) throws {
        let (server, client) = try client(sending: reply)
        let error = #expect(throws: QubesdError.self) { try client.state(of: "work") }
        guard case .malformed = error?.reason else {
            Issue.record("\(reply.debugDescription) gave \(String(describing: error))")
            return
        }
        #expect(server.calls.count == 1)
    }

    @Test(arguments: [
        "work class=AppVM state=Halted", "work class=AppVM state=Halted\nva",
        "work class=AppVM\n", "work state=Halted\n", "work\n", "\n", " class=AppVM state=Halted\n",
        "../x class=AppVM state=Halted\n", "work class=AppVM state=Halted uuid=1\n",
        "work class=AppVM class=TemplateVM state=Halted\n", "work class=AppVM state=Ha=\n",
        "work class= state=Halted\n", "work class=AppVM state=Halted \n",
        "work class=AppVM state=Halted\nwork class=AppVM state=Running\n",
        "work class=AppVM state=Halted\r\n",
    ])
    func `A list with one line that cannot be is no list`(content: String) throws {
        let (server, client) = try client(sending: "0\0\(content)")
        let error = #expect(throws: QubesdError.self) { try client.visibleQubes(to: "mgmt") }
        guard case .malformed = error?.reason else {
            Issue.record("\(content.debugDescription) gave \(String(describing: error))")
            return
        }
        #expect(server.calls.count == 1)
    }

    @Test func `A key that a later Qubes may add to the list is left aside`() throws {
        let (server, client) = try client(
            sending: "0\0work class=AppVM state=Halted later=yes\n")
        #expect(try client.visibleQubes(to: "mgmt").map(\.name) == ["work"])
        #expect(server.calls.count == 1)
    }

    @Test(arguments: ["a=1", "a\n", "=1\n", "a=1\na=2\n", "a=1\n\n", "a b=1\n"])
    func `Properties with one line that cannot be are no properties`(content: String) throws {
        let (server, client) = try client(sending: "0\0\(content)")
        #expect(throws: QubesdError.self) { try client.poolInfo("varlibqubes") }
        #expect(server.calls.count == 1)
    }

    @Test func `A list may have as many qubes as an inventory, and no more`() throws {
        func list(_ count: Int) -> String {
            "0\0" + (0..<count).map { "q\($0) class=AppVM state=Halted\n" }.joined()
        }
        let (full, fullClient) = try client(sending: list(InventoryLimits.qubes))
        #expect(try fullClient.visibleQubes(to: "mgmt").count == InventoryLimits.qubes)
        let (over, overClient) = try client(sending: list(InventoryLimits.qubes + 1))
        #expect(throws: QubesdError.self) { try overClient.visibleQubes(to: "mgmt") }
        #expect(full.calls.count + over.calls.count == 2)
    }

    @Test func `A reply may be as long as the limit, and no longer`() throws {
        let fill = [UInt8](repeating: UInt8(ascii: "x"), count: Qubesd.replyBytes - 5)
        let full = Array("0\0a=".utf8) + fill + Array("\n".utf8)
        #expect(full.count == Qubesd.replyBytes)
        var world = world
        world.behaviour = .sends(full)
        let server = try QubesdStandIn(world)
        let info = try Qubesd(socketPath: server.path).poolInfo("varlibqubes")
        #expect(info["a"]?.utf8.count == fill.count)
        #expect(try reason(of: .sends(full + [UInt8(ascii: "\n")])) == .tooLong)
    }

    @Test func `An empty reply is a refusal`() throws {
        #expect(try reason(of: .sends([])) == .refused)
    }

    @Test func `A server that hangs up before it has read is told from one that refuses`() throws {
        #expect(try reason(of: .hangsUp) == .hungUp)
        #expect(try reason(of: .hangsUp) { _ = try $0.visibleQubes(to: "mgmt") } == .hungUp)
    }

    @Test func `A server that never answers is given up`() throws {
        #expect(try reason(of: .isSilent) == .timedOut)
    }

    @Test func `A server that answers a byte at a time and never ends is given up`() throws {
        #expect(try reason(of: .trickles) == .timedOut)
    }

    @Test func `A server with a full queue is given up`() throws {
        let path = FilePath("/tmp/qubesd-full-\(UInt64.random(in: 0...UInt64.max)).sock")
        let listener = try UnixSocket.listen(path, mode: 0o600, backlog: 0)
        var waiting: [SharedDescriptor] = []
        while let connection = try? UnixSocket.connect(path, timeoutSeconds: 1) {
            waiting.append(SharedDescriptor(connection))
        }
        let error = #expect(throws: QubesdError.self) {
            try Qubesd(socketPath: path, timeoutSeconds: 1).state(of: "work")
        }
        #expect(error?.reason == .timedOut)
        #expect(waiting.count == 1)
        listener.shutdownBoth()
        try Descriptor.open("/tmp", .directory).remove(entry: path.lastComponent?.string ?? "")
    }

    @Test func `No socket, and what to do about it`() {
        let error = #expect(throws: QubesdError.self) {
            try Qubesd(socketPath: "/nonexistent/qubesd.sock").state(of: "work")
        }
        #expect(error?.reason == .unavailable(.noSuchFileOrDirectory))
        #expect(error?.description.contains("systemctl status qubesd") == true)
    }
}
