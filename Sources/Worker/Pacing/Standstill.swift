// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemPackage

/// Why nothing can be done on a file system, whatever is asked of it.
enum Standstill: Equatable, Sendable {
    /// Nobody may write to it until it is thawed (`fsfreeze(8)`, a snapshot of the block device
    /// below it, hibernation).
    case frozen
    /// One of its devices is suspended (`dmsetup suspend`).
    case suspended(device: String)
    /// One of its devices has taken requests and answers none of them.
    case silent(device: String)

    /// As a part of a sentence. Devices are dom0's, and who reads it may be a qube.
    var advice: String {
        switch self {
        case .frozen: "its file system is frozen"
        case .suspended: "its device is suspended"
        case .silent: "its device does not answer"
        }
    }
}

/// What the kernel tells of a device, at one moment.
struct DeviceState: Equatable, Sendable {
    /// Device mapper holds all requests back.
    var isSuspended = false
    /// Requests that were taken and not answered.
    var inFlight: UInt64 = 0
    /// Requests that were answered, ever growing.
    var completed: UInt64 = 0

    /// The devices of a file system by their names in `/sys/fs/btrfs`. Nothing of this asks the
    /// devices themselves.
    static func all(ofFileSystem identity: String, in root: FilePath = "/sys/fs/btrfs")
        -> [String: DeviceState]
    {
        let folder = root.appending(identity).appending("devices")
        var states: [String: DeviceState] = [:]
        for name in SmallFile.names(in: folder) {
            let device = folder.appending(name)
            guard var state = SmallFile.text(device.appending("stat")).flatMap(DeviceState.init)
            else { continue }
            state.isSuspended =
                SmallFile.text(device.appending("dm").appending("suspended")) == "1\n"
            states[name] = state
        }
        return states
    }

    init(isSuspended: Bool = false, inFlight: UInt64 = 0, completed: UInt64 = 0) {
        self.isSuspended = isSuspended
        self.inFlight = inFlight
        self.completed = completed
    }

    /// From `stat` (Documentation/block/stat.rst): reads, writes, what was given back and flushes
    /// that were answered, and what is in flight; older kernels count fewer kinds.
    init?(_ text: String) {
        let figures = text.split(whereSeparator: \.isWhitespace).map { UInt64($0) }
        guard figures.count >= 11, let inFlight = figures[8] else { return nil }
        self.inFlight = inFlight
        completed = [0, 4, 11, 15].reduce(0) { sum, place in
            sum &+ ((place < figures.count ? figures[place] : nil) ?? 0)
        }
    }
}

/// Says whether devices answer, from one look to the next. Pure: the caller tells the time.
struct DeviceWatch: Sendable {
    /// A device that has answered nothing for so long does not answer. A disk that has to spin up
    /// first takes longer, and does not answer either.
    static let silentSeconds = 5.0

    private struct Waiting {
        let completed: UInt64
        let since: Double
    }

    private var waiting: [String: Waiting] = [:]

    /// Takes what devices look like now.
    mutating func look(_ states: [String: DeviceState], nowSeconds: Double) -> Standstill? {
        waiting = waiting.filter { states[$0.key] != nil }
        for (name, state) in states {
            if state.inFlight == 0 {
                waiting[name] = nil
            } else if waiting[name]?.completed != state.completed {
                waiting[name] = Waiting(completed: state.completed, since: nowSeconds)
            }
        }
        let names = states.keys.sorted()
        if let name = names.first(where: { states[$0]?.isSuspended == true }) {
            return .suspended(device: name)
        }
        let silent = names.first { name in
            waiting[name].map { nowSeconds - $0.since >= Self.silentSeconds } ?? false
        }
        return silent.map { .silent(device: $0) }
    }

    /// Every device has answered since it was looked at first, or had nothing to answer.
    var isQuiet: Bool { waiting.isEmpty }

    /// Whether a device has answered since, of those that had requests in the look before.
    func hasAnswered(_ states: [String: DeviceState]) -> Bool {
        waiting.allSatisfy { name, waiting in
            guard let now = states[name] else { return true }
            return now.inFlight == 0 || now.completed != waiting.completed
        }
    }
}
