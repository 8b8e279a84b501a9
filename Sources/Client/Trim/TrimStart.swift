// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls

/// Why a halted qube is not started for a trim.
enum StartObstacle: Error, Equatable {
    /// Its start would attach devices.
    case devices(kind: String)
    /// Others run from its root, or from what else it is the template of.
    case templateInUse(by: String)
    /// It cannot be seen whether others do.
    case templateUnseen(ClientError)
    /// Its start would start another one, which runs not.
    case wouldStart(String, property: String)
    /// Somebody has started it meanwhile.
    case runs
    /// Qubes does not say what has to be known.
    case unknown(AdminError)

    /// For programs.
    var word: String {
        switch self {
        case .devices: "devices"
        case .templateInUse: "templateInUse"
        case .templateUnseen, .unknown: "unknown"
        case .wouldStart: "wouldStartOthers"
        case .runs: "runs"
        }
    }

    /// For people.
    /// - Parameter message: what is said of an error.
    func reason(_ message: (ClientError) -> String?) -> String {
        switch self {
        case .devices(let kind):
            "not started: devices are attached to it at its start (\(kind)). Start it yourself."
        case .templateInUse(let name):
            "not started: \(name) runs from it. Trim it when its qubes are down."
        case .templateUnseen(let error):
            "not started, as it cannot be seen whether others run from it: \(message(error) ?? "")"
        case .wouldStart(let name, let property):
            "not started: \(name) (its \(property)) does not run, and would be started with it."
        case .runs: "not touched: somebody has started it meanwhile. Try again."
        case .unknown(let error): "not started: \(message(.admin(error)) ?? "")"
        }
    }
}

/// Starts halted qubes for a trim, and sees to it that they are halted again.
struct TrimStarter {
    /// How long to wait between two looks at a qube that shuts down, in milliseconds.
    static let lookMilliseconds = 200
    /// The qubes that qubesd starts before another one, by the property that names them.
    static let needs = ["netvm", "audiovm", "guivm"]

    let admin: AdminCalls
    /// How long a shutdown may take.
    let limitSeconds: Int
    /// The qubes that run from a template, as far as we may see.
    let children: (String) throws(ClientError) -> [String]

    /// What keeps a qube from being started; nil when nothing does. Nothing changes.
    /// - Throws: `interrupted` alone.
    func obstacle(_ qube: QubeName) throws(ClientError) -> StartObstacle? {
        do throws(ClientError) {
            if let child = try children(qube.text).first { return .templateInUse(by: child) }
        } catch .interrupted {
            throw .interrupted
        } catch {
            return .templateUnseen(error)
        }
        do throws(AdminError) {
            return try asked(about: qube)
        } catch {
            return .unknown(error)
        }
    }

    private func asked(about qube: QubeName) throws(AdminError) -> StartObstacle? {
        if try state(of: qube.text) != Self.halted { return .runs }
        if let kind = try deviceKind(of: qube.text) { return .devices(kind: kind) }
        for property in Self.needs {
            guard let name = try needed(property, by: qube.text) else { continue }
            if try state(of: name) != Self.running {
                return .wouldStart(name, property: property)
            }
        }
        // Who may start it and not shut it down again learns that before, and not afterwards: one
        // that is halted answers with an exception, and only where policy lets us ask.
        do throws(AdminError) {
            try admin.call("admin.vm.Shutdown", about: qube.text)
        } catch .exception {
        } catch {
            throw error
        }
        return nil
    }

    /// Starts it, and waits until it is up.
    func start(_ qube: QubeName) throws(AdminError) {
        try admin.call("admin.vm.Start", about: qube.text, limitSeconds: AdminCalls.startSeconds)
    }

    /// Shuts it down, whatever happens, and waits for that. It is never killed: what it has not
    /// written would be lost.
    /// - Parameter accepted: called once qubesd has taken the wish.
    /// - Returns: whether it is halted.
    func shutDown(_ qube: QubeName, accepted: () -> Void) -> Bool {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(limitSeconds)
        var isAsked = false
        while true {
            // qubesd may be away for a moment: it is asked again until it answers.
            if (try? state(of: qube.text)) == Self.halted { return true }
            if !isAsked {
                do throws(AdminError) {
                    try admin.call("admin.vm.Shutdown", about: qube.text)
                    isAsked = true
                    accepted()
                } catch {
                    // Policy is another than it was before the start: it will not change again.
                    if error.isRefusal, case .qrexec = admin.way { return false }
                }
            }
            if clock.now >= end { return false }
            Pause.milliseconds(Self.lookMilliseconds)
        }
    }

    private static let halted = "Halted"
    private static let running = "Running"

    /// The state of a qube, in qubesd's word.
    private func state(of qube: String) throws(AdminError) -> String {
        let method = "admin.vm.List"
        let untrusted = try admin.call(method, about: qube)
        for line in untrusted.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.first == Substring(qube) else { continue }
            let key = "state="
            if let word = words.first(where: { $0.hasPrefix(key) }) {
                return String(word.dropFirst(key.count))
            }
        }
        throw .unreadable(method: method)
    }

    /// The first kind of devices of which it gets one at its start.
    private func deviceKind(of qube: String) throws(AdminError) -> String? {
        let method = "admin.deviceclass.List"
        let kinds = try admin.call(method, about: ServiceClient.machine).split(separator: "\n")
        for kind in kinds {
            guard let name = PlainName(String(kind)) else { throw .unreadable(method: method) }
            if try !assigned(name.text, to: qube).isEmpty { return name.text }
        }
        return nil
    }

    /// Qubes 4.2 calls it `List`, later ones `Assigned`.
    private func assigned(_ kind: String, to qube: String) throws(AdminError) -> String {
        do throws(AdminError) {
            return try admin.call("admin.vm.device.\(kind).Assigned", about: qube)
        } catch let first {
            do throws(AdminError) {
                return try admin.call("admin.vm.device.\(kind).List", about: qube)
            } catch {
                throw first
            }
        }
    }

    /// The qube that a property names: not dom0, which runs.
    private func needed(
        _ property: String, by qube: String
    ) throws(AdminError) -> String? {
        let method = "admin.vm.property.Get"
        let untrusted: String
        do throws(AdminError) {
            untrusted = try admin.call(method, property, about: qube)
        } catch .exception(_, _, "QubesNoSuchPropertyError") {
            return nil
        } catch {
            throw error
        }
        // `default=True type=vm NAME`
        let words = untrusted.split(
            separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count == 3, words[1] == "type=vm" else { throw .unreadable(method: method) }
        if ["", "None", ServiceClient.machine].contains(String(words[2])) { return nil }
        guard let name = QubeName(String(words[2])) else { throw .unreadable(method: method) }
        return name.text
    }
}
