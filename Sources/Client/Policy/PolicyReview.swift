// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What in dom0's policy keeps lines about this service from doing what they say. Pure.
struct PolicyReview {
    typealias Finding = CheckReport.Finding

    /// The file that is shipped: its closing lines deny all that was not allowed before them.
    private static let shipped = "80-btrfs.policy"

    private let policy: PolicyRules
    /// The lines that let somebody call a service of ours.
    private let ours: [PolicyRules.Rule]

    init(_ policy: PolicyRules) {
        self.policy = policy
        let services = Set(ServiceName.allCases.map(\.rawValue))
        ours = policy.rules.filter { services.contains($0.service) && $0.lets }
    }

    /// The worst first; that all is well where there is nothing.
    var findings: [Finding] {
        let found = lost + shadowed + blind
        if !found.isEmpty { return found }
        let who = Set(ours.map(\.source)).sorted().joined(separator: ", ")
        return [
            Finding(
                .good, "policy", about: .machine,
                who.isEmpty
                    ? "policy lets no qube call this service"
                    : "policy lets these call this service, and shows them qubes: \(who)")
        ]
    }

    /// Lines that send the call to the qube that it names, which has no such service.
    private var lost: [Finding] {
        ours.filter { !$0.goesToDom0 }.map {
            Finding(
                .problem, "policy.target", about: .machine,
                "\($0.place) sends '\($0.text)' to the qube itself",
                reason: "The service is in dom0; the qube is only what the call is about.",
                command: "\($0.service) \($0.argument) \($0.source) \($0.target) \($0.action)"
                    + " target=dom0")
        }
    }

    /// Lines that never decide, for an earlier one always does.
    private var shadowed: [Finding] {
        ours.compactMap { rule in
            guard let index = policy.rules.firstIndex(of: rule),
                let earlier = policy.rules[..<index].first(where: { $0.covers(rule) })
            else { return nil }
            if earlier.action == rule.action {
                return Finding(
                    .note, "policy.twice", about: .machine,
                    "\(rule.place) says '\(rule.text)', which \(earlier.place) has said already")
            }
            return Finding(
                .warning, "policy.shadowed", about: .machine,
                "\(rule.place) says '\(rule.text)', but \(earlier.place) comes first and says "
                    + "'\(earlier.text)'",
                reason: "The first line that matches decides; files are read in the order of "
                    + "their names.",
                command: earlier.place.hasPrefix(Self.shipped)
                    ? "move the line into \(PolicyText.file)"
                    : "move the line above, or into a file whose name comes before")
        }
    }

    /// Callers that are shown nothing of what they may call about.
    private var blind: [Finding] {
        var seen: Set<[String]> = []
        return ours.filter { seen.insert([$0.source, $0.target]).inserted }.compactMap { rule in
            let isMachine = PolicyRules.Rule.covers("@adminvm", rule.target)
            let isShown =
                isMachine
                ? policy.rules.contains {
                    $0.service == PolicyText.visibility && $0.action == "allow"
                        && PolicyRules.Rule.covers($0.source, rule.source)
                }
                : policy.first(PolicyText.visibility, from: rule.source, to: rule.target)?.action
                    == "allow"
            if isShown { return nil }
            let target = isMachine ? "@anyvm" : rule.target
            return Finding(
                .warning, "policy.unseen", about: .machine,
                "\(rule.source) may call about \(rule.target) (\(rule.place)), and is shown "
                    + (isMachine ? "no qube" : "no such qube"),
                reason: "What \(PolicyText.visibility) does not show to a caller is not there "
                    + "for it, and 'ask' counts as no.",
                command: "\(PolicyText.visibility) * \(rule.source) \(target) allow target=dom0")
        }
    }
}
