// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

/// What a call may be answered with. There is no other way to an envelope than through a `Reader`.
protocol Readable: Encodable {
    /// Itself, without what the reader may not know.
    func redacted(for reader: Reader) -> Self
}

/// Who reads a reply, and what it has asked about. Every reply of every kind passes `visible`.
struct Reader {
    let caller: Caller
    private let inventory: Inventory
    /// The call was about the machine.
    let isAboutMachine: Bool
    /// The qubes that the call was about; nil for all that the caller sees.
    private var asked: Set<String>?

    /// Who has called about this.
    init(_ target: Target) {
        caller = target.caller
        inventory = target.inventory
        isAboutMachine = target.qube == nil
    }

    /// The same reader, of what is about these qubes alone.
    func asking(about qubes: Set<String>) -> Reader {
        var reader = self
        reader.asked = qubes
        return reader
    }

    /// A reply as this reader may have it.
    func visible<Reply: Readable>(_ reply: Reply) -> Reply { reply.redacted(for: self) }

    /// It may read what is said about a qube.
    func reads(qube: String) -> Bool { caller.sees(qube) && asked?.contains(qube) ?? true }

    /// Of these pools, those that it may know of: a qube that it may read about has a volume on
    /// them. Who sees dom0 may know of each, when it asks about the machine.
    func pools(_ names: [String]) -> [String] {
        if caller.isMachine || (isAboutMachine && caller.sees(Qube.adminName)) { return names }
        let known = Set(
            inventory.qubes.filter { reads(qube: $0.name) }.flatMap { $0.volumes.map(\.pool) })
        return names.filter(known.contains)
    }

    /// A subject without what it may not know; nil where nothing of it is left.
    func subject(_ subject: Subject?) -> Subject? {
        switch subject {
        case .qube(let name), .image(let name, _, _): reads(qube: name) ? subject : nil
        case .pools(let names):
            pools(names).isEmpty ? nil : .pools(pools(names))
        case .machine: caller.isMachine || isAboutMachine ? subject : nil
        case .other: caller.isMachine ? subject : nil
        case nil: nil
        }
    }

    /// The problems that it may read.
    func problems(_ problems: [Report.Problem]) -> [Report.Problem] {
        if caller.isMachine { return problems.filter { reads($0.about) } }
        return problems.compactMap { problem in
            subject(problem.about).map { Report.Problem($0, problem.message.withoutPaths) }
        }
    }

    /// dom0 reads what is about nothing, or about no qube, whatever it has asked about; what is
    /// about another qube than it has asked about is no answer to dom0 either.
    private func reads(_ about: Subject?) -> Bool { about == nil || subject(about) != nil }

    /// The findings that it may read. A command that mends a pool is dom0's to give.
    func findings(_ findings: [CheckReport.Finding]) -> [CheckReport.Finding] {
        if caller.isMachine { return findings.filter { reads($0.about) } }
        return findings.compactMap { finding in
            guard let about = subject(finding.about) else { return nil }
            var finding = finding
            if case .pools = about {
                finding.subject = about.text
                if !isAboutMachine {
                    finding.command = nil
                    finding.message = finding.message.withoutPaths
                }
            }
            finding.about = about
            return finding
        }
    }

    /// A file system's account, without the names of pools that are none of its business.
    func usages(_ usages: [FileSystemUsage]) -> [FileSystemUsage] {
        usages.map { usage in
            var usage = usage
            usage.pools = pools(usage.pools)
            return usage
        }
    }
}

extension String {
    /// Without the sentences that name a path of dom0: what a worker says of devices and mount
    /// points is for dom0 alone.
    var withoutPaths: String {
        let opening: Set<Character> = ["(", "'", "\"", "`"]
        func namesAPath(_ sentence: String) -> Bool {
            sentence.split(whereSeparator: \.isWhitespace).contains { word in
                word.drop { opening.contains($0) }.hasPrefix("/")
            }
        }
        let kept = split(separator: ". ").map(String.init).filter { !namesAPath($0) }
        return kept.isEmpty ? "It failed. \(Refusal.seeLog)" : kept.joined(separator: ". ")
    }
}
