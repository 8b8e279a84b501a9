// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// A state or cache directory has one daemon.
@Suite struct OwnershipTests {
    private func other(
        _ fixture: ServiceFixture, _ change: (inout Settings) -> Void = { _ in }
    ) throws -> String? {
        var settings = fixture.settings
        let socket = fixture.directory.appending("other")
        settings.socket = socket
        change(&settings)
        do throws(StartError) {
            let listener: Descriptor
            do { listener = try UnixSocket.listen(socket, mode: 0o600) } catch {
                throw StartError(description: "\(error)")
            }
            try Daemon(settings, listener: listener, clock: .system).stop()
            return nil
        } catch {
            return error.description
        }
    }

    private func makeDirectory(_ name: String, _ fixture: ServiceFixture) throws -> FilePath {
        let path = fixture.directory.appending(name)
        try FileManager.default.createDirectory(
            atPath: path.string, withIntermediateDirectories: true)
        return path
    }

    @Test func aSecondDaemonIsRefusedAndToldWhatToDo() throws {
        let fixture = try ServiceFixture()
        let state = try #require(try other(fixture))
        #expect(state.contains("the state directory \(fixture.settings.stateDirectory)."))
        #expect(state.contains("--state-directory") && state.contains("systemctl stop"))
        // Nothing was taken from the one that runs.
        #expect(try fixture.isAlive())
        let own = try makeDirectory("state2", fixture)
        let cache = try #require(try other(fixture) { $0.stateDirectory = own })
        #expect(cache.contains("the cache directory \(fixture.settings.cacheDirectory)."))
        let ownCache = try makeDirectory("cache2", fixture)
        #expect(
            try other(fixture) {
                $0.stateDirectory = own
                $0.cacheDirectory = ownCache
            } == nil)
    }

    @Test func theSameDirectoryUnderAnotherNameIsTheSame() throws {
        let fixture = try ServiceFixture()
        let link = fixture.directory.appending("link")
        try FileManager.default.createSymbolicLink(
            atPath: link.string, withDestinationPath: fixture.settings.stateDirectory.string)
        #expect(try other(fixture) { $0.stateDirectory = link } != nil)
        // And one daemon may keep both in one.
        let both = try makeDirectory("both", fixture)
        #expect(
            try other(fixture) {
                $0.stateDirectory = both
                $0.cacheDirectory = both
            } == nil)
    }

    @Test func theNextDaemonIsLetInOnceOneHasStopped() throws {
        let fixture = try ServiceFixture()
        fixture.daemon.stop()
        #expect(try other(fixture) == nil)
        try fixture.restartStopped()
        #expect(try fixture.isAlive())
    }

    @Test func aRecordThatHadNoRoomIsWrittenWithTheNext() throws {
        let fixture = try ServiceFixture()
        let store = try JobStore(stateDirectory: fixture.settings.stateDirectory)
        let jobs = fixture.settings.stateDirectory.appending("jobs")
        func record(_ state: JobState) -> JobRecord {
            var record = JobRecord(
                job: JobID.random().text, operation: .compress, caller: "dom0", target: "work",
                argument: "", submittedAt: 1_700_000_000)
            record.state = state
            return record
        }
        let first = record(.done)
        // A directory where the file is to be made: nobody can write it.
        let obstacle = jobs.appending(first.job + ".new")
        try FileManager.default.createDirectory(
            atPath: obstacle.string, withIntermediateDirectories: false)
        #expect(throws: JobStore.Failure.self) { try store.write(first) }
        try FileManager.default.removeItem(atPath: obstacle.string)
        try store.write(record(.done))
        #expect(try store.load().jobs.contains { $0.job == first.job && $0.state == .done })
        // Not one that history has forgotten meanwhile.
        try store.remove(first.job)
        store.writeRest()
        #expect(try !store.load().jobs.contains { $0.job == first.job })
    }
}
