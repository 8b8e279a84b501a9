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
        visible: ["mgmt": ["work"], "nobody": []])

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
        _ call: (Qubesd) throws -> Void = { _ = try $0.visibleQubes(to: "mgmt") }
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

    @Test func `Every state but Halted is in use`() throws {
        let server = try QubesdStandIn(world)
        let client = Qubesd(socketPath: server.path)
        let states = { try client.visibleQubes(to: "mgmt").map(\.state) }
        #expect(try states() == [.halted])
        #expect(try states().allSatisfy { !$0.isInUse })
        for state in ["Running", "Paused", "Transient", "Dying", "halted", "NA"] {
            server.change { $0.qubes["work"] = "class=AppVM state=\(state)" }
            #expect(try states() == [.inUse(state)])
            #expect(try states().allSatisfy(\.isInUse))
        }
    }

    @Test(arguments: ["", "a b", "a\0b", "a\n", "-a", "@default", "ä", "1a", "../a"])
    func `A name that could make another call of it is never sent`(name: String) throws {
        let server = try QubesdStandIn(world)
        let client = Qubesd(socketPath: server.path)
        #expect(throws: QubesdError.self) { try client.visibleQubes(to: name) }
        #expect(server.calls.isEmpty)
    }

    @Test func `An exception comes with its type`() throws {
        let (server, client) = try client(
            sending: "2\0QubesException\0trace\0No such thing: %r\0ghost\0")
        let error = #expect(throws: QubesdError.self) { try client.visibleQubes(to: "mgmt") }
        #expect(
            error?.reason == .exception(kind: "QubesException", message: "'No such thing: %r'"))
        #expect(server.calls.count == 1)
    }

    @Test func `What an exception says is escaped and cut before it can reach a log`() throws {
        let long = String(repeating: "x", count: 300)
        let (server, client) = try client(sending: "2\0SomeError\0trace\0\u{1b}[2J\n\(long)\0")
        let error = #expect(throws: QubesdError.self) { try client.visibleQubes(to: "mgmt") }
        let text = try #require(error?.description)
        #expect(text.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        #expect(text.utf8.count < 400)
        #expect(server.calls.count == 1)
    }

    @Test(arguments: [
        "0", "1\0dom0\0event\0\0", "3\0", "garbage", "\0\0\0\0", "2\0", "2\0Type\0", "2\0Type\0\0",
        "2\0\u{1b}[2J\0\0text\0", "2\0\0\0text\0", "0\0work class=AppVM state=Halted\n\u{7}\n",
    ])
    func `A reply that cannot be is an error and not a list`(reply: String) throws {
        let (server, client) = try client(sending: reply)
        let error = #expect(throws: QubesdError.self) { try client.visibleQubes(to: "mgmt") }
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
        let start = "0\0work class=AppVM state=Halted later="
        let fill = String(repeating: "x", count: Qubesd.replyBytes - start.utf8.count - 1)
        let full = Array("\(start)\(fill)\n".utf8)
        #expect(full.count == Qubesd.replyBytes)
        var world = world
        world.behaviour = .sends(full)
        let server = try QubesdStandIn(world)
        let seen = try Qubesd(socketPath: server.path).visibleQubes(to: "mgmt")
        #expect(seen.map(\.name) == ["work"])
        #expect(try reason(of: .sends(full + [UInt8(ascii: "\n")])) == .tooLong)
    }

    @Test func `An empty reply is a refusal, and shows nothing`() throws {
        let (server, client) = try client(sending: "")
        #expect(try client.visibleQubes(to: "mgmt") == [])
        #expect(server.calls.count == 1)
    }

    @Test func `A server that hangs up before it has read is told from one that refuses`() throws {
        #expect(try reason(of: .hangsUp) == .hungUp)
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
            try Qubesd(socketPath: path, timeoutSeconds: 1).visibleQubes(to: "mgmt")
        }
        #expect(error?.reason == .timedOut)
        #expect(waiting.count == 1)
        listener.shutdownBoth()
        try Descriptor.open("/tmp", .directory).remove(entry: path.lastComponent?.string ?? "")
    }

    @Test func `No socket, and what to do about it`() {
        let error = #expect(throws: QubesdError.self) {
            try Qubesd(socketPath: "/nonexistent/qubesd.sock").visibleQubes(to: "mgmt")
        }
        #expect(error?.reason == .unavailable(.noSuchFileOrDirectory))
        #expect(error?.description.contains("systemctl status qubesd") == true)
    }
}
