// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// When which qube is to be optimized, from what qubesd tells. Pure: moments are given, and nothing
/// is asked.
///
/// Each qube has one place however much is told of it, and each news puts it off again: so what is
/// asked for once comes after the last of them.
struct FollowRules {
    /// A moment, by a clock that counts sleep.
    typealias Moment = ContinuousClock.Instant

    /// What is to be done for a qube whose time has come.
    enum Verdict: Equatable {
        /// Ask for a job.
        case ask
        /// Nothing: one that waits will see to it, or there is nothing to see to.
        case drop
        /// Look again later: one is at it that may have passed by what was news.
        case later
    }

    private struct Wish: Equatable {
        var due: Moment
        /// It has only stopped: that says something of a root of its own alone.
        var isOfRoot: Bool
    }

    /// The most qubes that are remembered; what is beyond is left to the weekly run.
    static let mostQubes = 4096

    /// How long nothing may be told of a qube before it is its turn.
    let quiet: Duration
    private var wishes: [QubeName: Wish] = [:]

    init(quiet: Duration) { self.quiet = quiet }

    /// When the next qube's time comes; nil where none waits.
    var nextDue: Moment? { wishes.values.map(\.due).min() }

    /// Takes news.
    mutating func take(_ change: QubeChange, at now: Moment) {
        switch change {
        case .removed(let qube): wishes[qube] = nil
        case .stopped(let qube): put(qube, isOfRoot: wishes[qube]?.isOfRoot ?? true, now)
        case .filled(let qube): put(qube, isOfRoot: false, now)
        }
    }

    private mutating func put(_ qube: QubeName, isOfRoot: Bool, _ now: Moment) {
        guard wishes[qube] != nil || wishes.count < Self.mostQubes else { return }
        wishes[qube] = Wish(due: now + quiet, isOfRoot: isOfRoot)
    }

    /// The qubes whose time has come, by name.
    func due(at now: Moment) -> [QubeName] {
        wishes.filter { $0.value.due <= now }.keys.sorted { $0.text < $1.text }
    }

    /// What is to be done for one of those.
    /// - Parameters:
    ///   - kind: nil where qubesd knows no such qube.
    ///   - jobs: the queue and the history.
    func verdict(_ qube: QubeName, _ kind: QubeKind?, _ jobs: [JobRecord]) -> Verdict {
        guard let wish = wishes[qube], let kind, kind != .passing,
            kind == .ownRoot || !wish.isOfRoot
        else { return .drop }
        let others = jobs.filter { !$0.isOver && $0.optimizes(qube) }
        if others.contains(where: { $0.startedAt == nil }) { return .drop }
        return others.isEmpty ? .ask : .later
    }

    /// A job was asked for, or nothing is to be done.
    mutating func drop(_ qube: QubeName) { wishes[qube] = nil }

    /// It is not now: it is looked at again then, or when its quiet time is over after more news.
    mutating func postpone(_ qube: QubeName, until moment: Moment) { wishes[qube]?.due = moment }
}

extension JobRecord {
    /// It does for all of a qube what `follow` would ask for.
    fileprivate func optimizes(_ qube: QubeName) -> Bool {
        operation == .optimize && argument.isEmpty
            && (target == qube.text
                || target == QubeName.machine && exclude?.contains(qube.text) != true)
    }
}

/// How long to wait before qubesd is called again: twice as long each time, to a minute.
struct BackOff {
    static let firstSeconds = 1.0
    static let mostSeconds = 60.0
    private var seconds = BackOff.firstSeconds

    /// The next wait, in seconds.
    mutating func next() -> Double {
        defer { seconds = min(seconds * 2, Self.mostSeconds) }
        return seconds
    }

    /// It was reached.
    mutating func reset() { seconds = Self.firstSeconds }
}
