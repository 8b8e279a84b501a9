// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemPackage
import Testing

@testable import Client

@Suite struct SetupTests {
    private static let off = UnitStanding(isEnabled: false, isActive: false)
    private static let on = UnitStanding(isEnabled: true, isActive: true)

    private func standings(
        socket: UnitStanding = off, timer: UnitStanding = off, compression: UnitStanding = off,
        follow: UnitStanding = off
    ) -> [SetupUnit: UnitStanding] {
        [.socket: socket, .timer: timer, .compression: compression, .follow: follow]
    }

    /// What `systemctl` would be called with.
    private func commands(_ steps: [SetupStep]) -> [String] {
        steps.map { $0.arguments.joined(separator: " ") }
    }

    @Test func whatIsOffIsTurnedOnAndNothingElse() {
        #expect(
            commands(SetupPlan.on(standings())) == [
                "enable --now qubes-btrfsd.socket", "enable --now qubes-btrfs-weekly.timer",
                "enable --now qubes-btrfs-compress.service",
                "enable --now qubes-btrfs-follow.service",
            ])
        let some = standings(
            socket: Self.on, timer: UnitStanding(isEnabled: true, isActive: false),
            compression: UnitStanding(isEnabled: false, isActive: true))
        #expect(
            commands(SetupPlan.on(some)) == [
                "start qubes-btrfs-weekly.timer", "enable --now qubes-btrfs-compress.service",
                "enable --now qubes-btrfs-follow.service",
            ])
        let all = standings(
            socket: Self.on, timer: Self.on, compression: Self.on, follow: Self.on)
        #expect(SetupPlan.on(all).isEmpty)
    }

    @Test func undoTakesBackWhatWasTurnedOnAsFarAsItStillIsTheLastFirst() {
        var record = SetupRecord()
        let before = standings(
            socket: Self.on, timer: UnitStanding(isEnabled: true, isActive: false),
            compression: UnitStanding(isEnabled: false, isActive: true))
        record.add(SetupPlan.on(before), before)
        let now = standings(
            socket: Self.on, timer: Self.on, compression: Self.on, follow: Self.on)
        #expect(
            commands(SetupPlan.undo(record, now)) == [
                "disable --now qubes-btrfs-follow.service",
                "disable qubes-btrfs-compress.service", "stop qubes-btrfs-weekly.timer",
            ])
        // Somebody has turned it off since.
        #expect(SetupPlan.undo(record, before).isEmpty)
        #expect(SetupPlan.undo(SetupRecord(), now).isEmpty)
    }

    @Test func whatWasSoBeforeTheFirstTimeCounts() {
        var record = SetupRecord()
        record.add(SetupPlan.on(standings()), standings())
        let halfOn = standings(
            socket: Self.on, timer: UnitStanding(isEnabled: true, isActive: false))
        record.add(SetupPlan.on(halfOn), halfOn)
        #expect(record.units.count == 4)
        #expect(record.units.allSatisfy { !$0.wasEnabled && !$0.wasActive })
    }

    /// One run with a `systemctl` that says the same of every unit, and what that was called with.
    private struct Setup {
        var status = ExitStatus.failed
        let capture = Capture()
        let folder: TemporaryFolder

        init(says: String = "LoadState=loaded\nUnitFileState=disabled\nActiveState=inactive") throws
        {
            folder = try TemporaryFolder()
            for name in ["usr", "usr/bin", "var", "var/lib"] {
                try FileManager.default.createDirectory(
                    atPath: folder.path(name), withIntermediateDirectories: false)
            }
            let answer = says.split(separator: "\n").map { "echo '\($0)'" }.joined(separator: "\n")
            try folder.script(
                "usr/bin/systemctl", "echo \"$*\" >>'\(folder.path("calls"))'\n\(answer)")
        }

        mutating func run(
            _ arguments: [String], isRoot: Bool = true, columns: Int? = nil,
            answers: @escaping () -> String? = { nil }
        ) {
            let program = Program(
                console: capture.console(columns: columns, readLine: answers),
                interruption: Interruption(), environment: [:], isDom0: false, isRoot: isRoot,
                clock: .system)
            status = program.run(
                ["setup", "--socket", folder.path("nobody"), "--system-root", folder.path]
                    + arguments)
        }

        /// The calls that change something.
        var changes: [String] {
            ((try? folder.content("calls")) ?? "").split(separator: "\n").map(String.init)
                .filter { !$0.hasPrefix("show ") }
        }

        var hasRecord: Bool {
            FileManager.default.fileExists(atPath: folder.path("var/lib/qubes-btrfs/setup.json"))
        }
    }

    @Test func itIsForRootOfDom0() throws {
        var setup = try Setup()
        setup.run(["--yes"], isRoot: false)
        #expect(setup.status == .usage)
        #expect(setup.capture.error.contains("which only root may"))
        #expect(setup.changes.isEmpty)
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: false, isRoot: true, clock: .system)
        #expect(program.run(["setup", "--yes"]) == .usage)
        #expect(capture.error.contains("changes dom0"))
    }

    @Test(arguments: [("y", true), ("yes", true), ("Y", true), ("", false), ("n", false)])
    func onATerminalItAsks(answer: String, isDone: Bool) throws {
        var setup = try Setup()
        setup.run([], columns: 80, answers: { answer })
        #expect(setup.status == .done)
        #expect(setup.capture.error.contains("Do this? [y/N] "))
        #expect(setup.changes.isEmpty != isDone)
        #expect(setup.hasRecord == isDone)
    }

    @Test func elsewhereItDoesNothingWithoutYes() throws {
        var setup = try Setup()
        setup.run([])
        #expect(setup.status == .usage)
        #expect(setup.capture.error.contains("'qvm-btrfs setup --yes'"))
        #expect(setup.changes.isEmpty && !setup.hasRecord)
    }

    @Test func yesDoesIt() throws {
        var setup = try Setup()
        setup.run(["--yes"])
        #expect(setup.status == .done)
        #expect(
            setup.changes == SetupUnit.allCases.map { "--quiet enable --now \($0.rawValue)" })
        #expect(setup.hasRecord)
    }

    @Test func whatItShowsFitsTheTerminal() throws {
        var setup = try Setup()
        setup.run(["--dry-run"])
        #expect(setup.status == .done)
        for text in [setup.capture.output, setup.capture.error] {
            for line in text.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        }
        #expect(setup.changes.isEmpty && !setup.hasRecord)
    }

    @Test func policyIsPrintedForAnAdminQubeAndWrittenNowhere() throws {
        var setup = try Setup()
        setup.run(["--dry-run", "--admin", "mgmt"])
        #expect(
            setup.capture.output.contains(
                "btrfs.Optimize   * mgmt @tag:created-by-mgmt allow target=dom0\n"))
        #expect(setup.capture.output.contains("which setup leaves to you"))
    }

    @Test func itsJSONIsOneObject() throws {
        var setup = try Setup()
        setup.run(["--yes", "--json"])
        let text = setup.capture.output
        #expect(
            text.hasPrefix(#"{"isDone":true,"steps":[{"command":"systemctl enable --now qubes"#))
        #expect(text.hasSuffix(#"}],"undo":false,"version":1}"# + "\n"))
        #expect(text.split(separator: "\n").count == 1)
        var asking = try Setup()
        asking.run(["--json"])
        #expect(asking.status == .usage && asking.changes.isEmpty)
    }

    @Test(arguments: [
        ("LoadState=not-found", "says 'not-found'"), ("", "says 'nothing'"),
        ("LoadState=masked\nUnitFileState=masked", "says 'masked'"),
    ])
    func aUnitThatSystemdDoesNotLoadIsNamed(says: String, expected: String) throws {
        var setup = try Setup(says: says)
        setup.run(["--yes"])
        #expect(setup.status == .failed)
        let error = setup.capture.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(error.contains(expected) && error.contains("qubes-btrfsd.socket"))
        #expect(setup.changes.isEmpty && !setup.hasRecord)
    }

    @Test func whatSomebodyHasMaskedSinceIsOffForUndo() throws {
        var setup = try Setup()
        setup.run(["--yes"])
        let count = setup.changes.count
        try setup.folder.script("usr/bin/systemctl", "echo LoadState=masked")
        setup.run(["--undo", "--yes"])
        #expect(setup.status == .done)
        #expect(setup.changes.count == count && !setup.hasRecord)
    }

    @Test func aRecordThatCannotBeReadIsLeftAndNamed() throws {
        var setup = try Setup()
        setup.run(["--yes"])
        let path = setup.folder.path("var/lib/qubes-btrfs/setup.json")
        for text in ["", "{}", #"{"madeDirectory":false,"units":[],"version":2}"#] {
            try Data(text.utf8).write(to: URL(filePath: path))
            for words in [["--yes"], ["--undo", "--yes"]] {
                setup.run(words)
                #expect(setup.status == .failed, "\(text)")
            }
            #expect(try Data(contentsOf: URL(filePath: path)) == Data(text.utf8))
        }
        #expect(setup.capture.error.contains("setup.json"))
        #expect(setup.changes.count == SetupUnit.allCases.count)
    }

    @Test(arguments: [
        ["--yes", "--dry-run"], ["--undo", "--admin", "mgmt"], ["--admin", "dom0"],
    ])
    func whatDoesNotGoTogetherIsWrongUsage(arguments: [String]) throws {
        var setup = try Setup()
        setup.run(arguments)
        #expect(setup.status == .usage && setup.changes.isEmpty)
    }
}
