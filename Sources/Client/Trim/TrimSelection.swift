// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// Which qubes are to be trimmed, and how.
struct TrimWish {
    /// By their names; empty for all.
    var names: [QubeName] = []
    /// Of those that are named, these volumes alone; of all others every one that lasts.
    var volumes: [QubeName: Set<String>] = [:]
    /// Of all, templates alone.
    var templatesOnly = false
    /// Of all, those alone whose feature says so.
    var byFeature = false
    /// Of all, these not.
    var exclude: [String]?
    /// Halted ones, too.
    var starts = false
    /// Nobody need be asked.
    var isSure = false
    /// A job follows, for which those that cannot be trimmed matter as well: they are counted, and
    /// are no failure, though they were named.
    var isBeforeJob = false
    /// How long a trim may take, and a shutdown after it, in seconds.
    var limitSeconds = TrimWish.limitSeconds

    /// How long a trim may take unless somebody says otherwise, in seconds.
    static let limitSeconds = 600
}

/// The qubes that a trim is about, by what the service says of them.
struct TrimSelection {
    private(set) var running: [QubeName] = []
    private(set) var halted: [QubeName] = []
    /// How many were left alone as they do not run.
    private(set) var skippedHalted = 0
    /// How many were left alone as nothing lasts in them.
    private(set) var skippedOthers = 0
    private let wish: TrimWish

    /// Asks about all, or about each that was named.
    /// - Parameters:
    ///   - fail: gets one that cannot be trimmed.
    ///   - take: gets an error that may be about one qube alone, and its name.
    init(
        _ wish: TrimWish, _ client: ServiceClient,
        fail: (TrimRecord) throws(ClientError) -> Void,
        take: (ClientError, String) throws(ClientError) -> Void
    ) throws(ClientError) {
        self.wish = wish
        if wish.names.isEmpty {
            let report = try client.report(
                target: ServiceClient.machine, volume: "",
                request: ReportRequest(exclude: wish.exclude))
            for qube in report.qubes where includes(qube) { try add(qube, fail) }
        }
        for name in wish.names {
            do throws(ClientError) {
                let report = try client.report(target: name.text, volume: "")
                guard let qube = report.qubes.first(where: { $0.name == name.text }) else {
                    throw .unreadable("report")
                }
                try add(qube, fail)
            } catch {
                try take(error, name.text)
            }
        }
    }

    /// dom0's own files are among all; they are nobody's to trim.
    private func includes(_ qube: Report.Qube) -> Bool {
        qube.name != ServiceClient.machine
            && (!wish.templatesOnly || qube.kind == "TemplateVM")
            && (!wish.byFeature || qube.isTrimmedByFeature)
    }

    /// Of all qubes those that cannot be trimmed are counted; one that was named is told why.
    private mutating func add(
        _ qube: Report.Qube, _ fail: (TrimRecord) throws(ClientError) -> Void
    ) throws(ClientError) {
        guard let name = QubeName(qube.name) else { throw .unreadable("report") }
        let isCounted = wish.names.isEmpty || wish.isBeforeJob
        let mounts = MountPoint.all(ofClass: qube.kind)
            .filter { wish.volumes[name]?.contains($0.volume) != false }
        if mounts.isEmpty {
            if isCounted { return skippedOthers += 1 }
            return try fail(
                TrimRecord(
                    qube: qube.name, outcome: "nothingLasts",
                    reason: "cannot trim: nothing that it writes lasts (class \(qube.kind))."))
        }
        switch qube.isRunning {
        case true?: running.append(name)
        case false? where wish.starts: halted.append(name)
        case false?:
            if isCounted { return skippedHalted += 1 }
            try fail(
                TrimRecord(
                    qube: qube.name, outcome: "notRunning",
                    reason: "cannot trim: it does not run. --start starts it for this, and shuts "
                        + "it down again."))
        case nil:
            try fail(
                TrimRecord(
                    qube: qube.name, outcome: "unknown",
                    reason: "not touched: dom0 does not say whether it runs."))
        }
    }
}
