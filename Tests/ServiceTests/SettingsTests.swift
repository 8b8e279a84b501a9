// SPDX-License-Identifier: GPL-2.0-or-later
import SystemPackage
import Testing

@testable import Service

@Suite struct SettingsTests {
    @Test func withoutOptionsAllIsAtItsPlace() throws {
        let settings = try Settings(arguments: [])
        #expect(settings == Settings())
        #expect(settings.socket == nil)
        #expect(settings.qubesXML == "/var/lib/qubes/qubes.xml")
        // Its own worker, whatever else is installed meanwhile.
        #expect(settings.worker == nil)
        #expect(settings.stateDirectory == "/var/lib/qubes-btrfs")
        #expect(settings.cacheDirectory == "/var/cache/qubes-btrfs")
        #expect(settings.logFile == "/var/log/qubes/btrfs.log")
        #expect(settings.journalSocket == "/run/systemd/journal/socket")
        #expect(settings.systemRoot == "/")
    }

    @Test func everyOptionSetsItsOwnPath() throws {
        let arguments = Settings.options.flatMap { [$0, "/x\($0)"] }
        let settings = try Settings(arguments: arguments)
        #expect(settings.socket == "/x--socket")
        #expect(settings.qubesXML == "/x--qubes-xml")
        #expect(settings.qubesdSocket == "/x--qubesd-socket")
        #expect(settings.worker == "/x--worker")
        #expect(settings.stateDirectory == "/x--state-directory")
        #expect(settings.cacheDirectory == "/x--cache-directory")
        #expect(settings.logFile == "/x--log-file")
        #expect(settings.journalSocket == "/x--journal-socket")
        #expect(settings.systemRoot == "/x--system-root")
    }

    @Test(arguments: [
        (["--sockets", "/x"], UsageError.unknownOption("--sockets")),
        (["/x"], .unknownOption("/x")),
        (["--socket"], .missingPath("--socket")),
        (["--socket", "x"], .notAbsolute("--socket")),
        (["--socket", ""], .notAbsolute("--socket")),
        (["--socket", "/x", "--socket", "/y"], .repeated("--socket")),
    ])
    func aWrongCommandLineIsRefused(arguments: [String], expected: UsageError) {
        #expect(throws: expected) { try Settings(arguments: arguments) }
        #expect(expected.description.contains("--socket"))
    }

    @Test func aWrongCommandLineEndsTheProgramWithTwo() {
        #expect(DaemonProgram.run(arguments: ["qubes-btrfsd", "--no-such-option"]) == 2)
    }
}
