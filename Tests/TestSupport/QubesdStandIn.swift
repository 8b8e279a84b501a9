// SPDX-License-Identifier: GPL-2.0-or-later
internal import Glibc
internal import SystemCalls
public import SystemPackage

/// Stands in for qubesd at a real socket: the calls that are asked of it, answered from a world
/// that the test sets, or badly on demand.
public final class QubesdStandIn: Sendable {
    /// What it knows, and how it behaves.
    public struct World: Sendable {
        /// The qubes by name: class, state and UUID, as `class=AppVM state=Halted uuid=...`.
        public var qubes: [String: String] = [:]
        /// The names that a caller may see. A caller that is not in here gets an empty reply; dom0
        /// sees all.
        public var visible: [String: Set<String>] = [:]
        /// How it behaves.
        public var behaviour = Behaviour.answers
        /// What else it answers, by `METHOD+ARGUMENT DESTINATION`.
        public var answers: [String: String] = [:]
        /// The qubes that go on running, whoever wants to shut them down.
        public var stubborn: Set<String> = []
        /// The qubes that cannot be started.
        public var broken: Set<String> = []
        /// Does what a start, or a shutdown, does to a qube, before that is answered.
        public var power: @Sendable (_ qube: String, _ isOn: Bool) -> Void = { _, _ in }

        /// An empty world, or one of these.
        public init(
            qubes: [String: String] = [:], visible: [String: Set<String>] = [:],
            behaviour: Behaviour = .answers
        ) {
            self.qubes = qubes
            self.visible = visible
            self.behaviour = behaviour
        }
    }

    /// How it behaves.
    public enum Behaviour: Sendable {
        /// As qubesd does.
        case answers
        /// These bytes, whatever is asked.
        case sends([UInt8])
        /// Closes without reading.
        case hangsUp
        /// Reads, and never answers.
        case isSilent
        /// Sends a byte now and then and never ends.
        case trickles
    }

    private struct State: Sendable {
        var world: World
        var calls: [String] = []
        var isStopped = false
        /// What `admin.Events` sends, all of it to whoever listens.
        var events: [[UInt8]] = []
        /// Grows with each end of all listeners.
        var restarts = 0
        var listeners = 0
        /// How many of the events each of them has taken, by when it came.
        var taken: [Int: Int] = [:]
        var nextListener = 0
    }

    /// The socket's path.
    public let path: FilePath
    private let listener: SharedDescriptor
    private let state: Monitor<State>

    /// Listens at a path of its own.
    public init(_ world: World) throws(Errno) {
        let number = UInt64.random(in: 0...UInt64.max)
        path = FilePath("/tmp/qubesd-stand-in-\(number).sock")
        let listener = SharedDescriptor(try UnixSocket.listen(path, mode: 0o600))
        let state = Monitor(State(world: world))
        self.listener = listener
        self.state = state
        try WorkThread.start {
            while let connection = try? listener.descriptor.accept() {
                let shared = SharedDescriptor(connection)
                try? WorkThread.start { try? Self.serve(shared.descriptor, state) }
            }
        }
    }

    deinit {
        state.withLock { $0.isStopped = true }
        listener.descriptor.shutdownBoth()
        if let directory = try? Descriptor.open("/tmp", .directory),
            let name = path.lastComponent?.string
        {
            try? directory.remove(entry: name)
        }
    }

    /// Changes the world while it runs.
    public func change(_ body: (inout World) -> Void) { state.withLock { body(&$0.world) } }

    /// Tells all who listen to `admin.Events` now.
    public func fire(_ event: [UInt8]) { state.withLock { $0.events.append(event) } }

    /// Tells those who listen now, of whom there must be one, and waits until each is done with all
    /// that it does about it.
    /// - Returns: false when one has not come that far in time.
    public func tell(_ event: [UInt8], timeoutSeconds: Double = 60) -> Bool {
        // Who takes the second has come back for it after the first. It is nobody's news.
        for event in [event, Self.event("connection-established")] {
            let count = state.withLock {
                $0.events.append(event)
                return $0.events.count
            }
            let isTaken = state.wait(timeoutSeconds: timeoutSeconds) { state -> Bool? in
                !state.taken.isEmpty && state.taken.values.allSatisfy { $0 >= count } ? true : nil
            }
            if isTaken == nil { return false }
        }
        return true
    }

    /// Ends the events of all who listen, as qubesd does when it restarts.
    public func dropListeners() { state.withLock { $0.restarts += 1 } }

    /// Waits until so many listen to `admin.Events`.
    public func waitForListeners(_ count: Int, timeoutSeconds: Double = 60) -> Bool {
        state.wait(timeoutSeconds: timeoutSeconds) { $0.listeners >= count ? true : nil } ?? false
    }

    /// An event as qubesd writes it: subject, name, then fields.
    public static func event(
        _ name: String, subject: String = "", fields: [(String, String)] = []
    ) -> [UInt8] {
        var bytes = Array("1\0\(subject)\0\(name)\0".utf8)
        for (key, value) in fields { bytes += Array("\(key)\0\(value)\0".utf8) }
        return bytes + [0]
    }

    /// The headers of all calls so far, in order, without their NUL.
    public var calls: [String] { state.withLock { $0.calls } }

    private static func serve(
        _ connection: borrowing Descriptor, _ state: Monitor<State>
    ) throws(Errno) {
        let behaviour = state.withLock { $0.world.behaviour }
        if case .hangsUp = behaviour { return }
        let request = try connection.readToEnd(limitBytes: 64 * 1024) ?? []
        let header = String(decoding: request.prefix { $0 != 0 }, as: UTF8.self)
        let world = state.withLock {
            $0.calls.append(header)
            return $0.world
        }
        switch behaviour {
        case .answers where header.hasPrefix("admin.Events+ dom0 "):
            try sendEvents(connection, state)
        case .answers: try connection.send(answer(header, world, state))
        case .sends(let bytes): try connection.send(bytes)
        case .hangsUp: break
        case .isSilent: _ = state.wait { $0.isStopped ? true : nil }
        case .trickles:
            try connection.send(Array("0\0".utf8))
            while state.wait(timeoutSeconds: 0.05, until: { $0.isStopped ? true : nil }) == nil {
                try connection.send(Array("a".utf8))
            }
        }
    }

    /// What is fired from now on, until there is a restart.
    private static func sendEvents(
        _ connection: borrowing Descriptor, _ state: Monitor<State>
    ) throws(Errno) {
        try connection.send(event("connection-established"))
        let (first, restarts, number) = state.withLock { state in
            state.listeners += 1
            state.nextListener += 1
            state.taken[state.nextListener] = state.events.count
            return (state.events.count, state.restarts, state.nextListener)
        }
        defer {
            state.withLock {
                $0.listeners -= 1
                $0.taken[number] = nil
            }
        }
        var sent = first
        while true {
            let next = state.wait { state -> [[UInt8]]? in
                if state.isStopped || state.restarts != restarts { return [] }
                return state.events.count > sent ? Array(state.events[sent...]) : nil
            }
            guard let next, !next.isEmpty else { return }
            for event in next { try connection.send(event) }
            sent += next.count
            try waitForReader(connection, state)
            state.withLock { $0.taken[number] = sent }
        }
    }

    /// Waits until the other end has read all that was sent, or is gone.
    private static func waitForReader(
        _ connection: borrowing Descriptor, _ state: Monitor<State>
    ) throws(Errno) {
        var unreadBytes: CInt = 0
        while state.withLock({ !$0.isStopped }) {
            let status = unsafe ioctl(connection.rawValue, UInt(TIOCOUTQ), &unreadBytes)
            if status < 0 { throw Errno(rawValue: errno) }
            if unreadBytes == 0 { return }
            usleep(200)
        }
    }

    /// `METHOD+ARGUMENT SOURCE name DESTINATION`.
    private static func answer(
        _ header: String, _ world: World, _ state: Monitor<State>
    ) -> [UInt8] {
        let words = header.split(separator: " ").map(String.init)
        guard words.count == 4, words[2] == "name",
            let plus = words[0].firstIndex(of: "+")
        else { return [] }
        switch words[0][..<plus] {
        case "admin.vm.List": return list(words[1], world)
        case "admin.vm.Start": return power(words[3], true, world, state)
        case "admin.vm.Shutdown": return power(words[3], false, world, state)
        default: return world.answers["\(words[0]) \(words[3])"].map(ok) ?? []
        }
    }

    /// A halted qube cannot be shut down, and says so.
    private static func power(
        _ qube: String, _ isOn: Bool, _ world: World, _ state: Monitor<State>
    ) -> [UInt8] {
        let isRunning = world.qubes[qube]?.contains("state=Running") == true
        if !isOn && !isRunning { return Array("2\0QubesVMNotStartedError\0\0\0".utf8) }
        if isOn && world.broken.contains(qube) { return Array("2\0QubesException\0\0\0".utf8) }
        if isOn == isRunning || world.stubborn.contains(qube) && !isOn { return ok("") }
        world.power(qube, isOn)
        state.withLock { $0.world.set(qube, isOn ? "Running" : "Halted") }
        return ok("")
    }

    private static func list(_ caller: String, _ world: World) -> [UInt8] {
        let names = caller == "dom0" ? Set(world.qubes.keys) : world.visible[caller]
        guard let names else { return [] }
        return ok(
            world.qubes.filter { names.contains($0.key) }.sorted { $0.key < $1.key }
                .map { "\($0.key) \($0.value)\n" }.joined())
    }

    private static func ok(_ content: String) -> [UInt8] { Array("0\0\(content)".utf8) }
}

extension QubesdStandIn.World {
    /// Sets the state of a qube that there is: `Running`, `Halted`.
    public mutating func set(_ qube: String, _ state: String) {
        qubes[qube] = qubes[qube]?.split(separator: " ")
            .map { $0.hasPrefix("state=") ? "state=\(state)" : String($0) }.joined(separator: " ")
    }

    /// The state of a qube.
    public func state(of qube: String) -> String? {
        qubes[qube]?.split(separator: " ").first { $0.hasPrefix("state=") }
            .map { String($0.dropFirst("state=".count)) }
    }
}

extension QubesdStandIn {
    /// What it knows now.
    public var world: World { state.withLock { $0.world } }
}
