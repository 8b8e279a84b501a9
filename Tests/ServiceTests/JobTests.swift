// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

@Suite struct JobTests {
    @Test func aJobRunsAWorkerAndItsResultIsKept() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit(.compress, "private", payload: #"{"version":1,"level":9}"#)
        let record = try fixture.end(of: job)
        #expect(record.state == .done)
        #expect(record.result?.savedBytes == 200)
        #expect(record.target == "work")
        #expect(record.argument == "private")
        #expect(record.startedAt != nil && record.endedAt != nil)
        let order = try fixture.order()
        #expect(order.work == .compress(level: 9, running: false))
        #expect(order.wholeMachine == false)
        #expect(order.volumes.filter(\.selected).map(\.volumeIdentifier) == ["appvms/work/private"])
        #expect(order.volumes.count == 15)
        #expect(order.systemDirectories == nil)
    }

    @Test func aDedupeJobPassesItsRequestOn() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit(
            .dedupe, on: .name("dom0"), payload: #"{"version":1,"running":true}"#)
        #expect(try fixture.end(of: job).operation == .dedupe)
        let order = try fixture.order()
        #expect(order.work == .dedupe(running: true))
        #expect(order.wholeMachine)
        #expect(order.volumes.filter { !$0.selected }.isEmpty)
    }

    @Test func aJobOnTheMachineTouchesOnlyWhatItsCallerSees() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit(from: "admin", on: .keyword("adminvm"))
        #expect(try fixture.end(of: job).state == .done)
        let selected = Set(try fixture.order().volumes.filter(\.selected).map(\.qube))
        #expect(selected == ["dom0", "deb", "work", "admin"])
    }

    @Test func aWorkerThatIsKilledLeavesItsJobInterrupted() throws {
        let fixture = try ServiceFixture(worker: "say progress; kill -KILL $$")
        let record = try fixture.end(of: try fixture.submit())
        #expect(record.state == .interrupted)
        #expect(record.progress?.doneBytes == 50)
        #expect(try fixture.isAlive())
    }

    @Test func aWorkerThatEndsWithoutALastLineLeavesItsJobInterrupted() throws {
        let fixture = try ServiceFixture(worker: "say progress")
        #expect(try fixture.end(of: try fixture.submit()).state == .interrupted)
    }

    @Test func aFailureOfTheWorkerReachesTheRecordAndItsDetailOnlyTheLog() throws {
        let fixture = try ServiceFixture(worker: "say failure")
        let record = try fixture.end(of: try fixture.submit())
        #expect(record.state == .failed)
        #expect(record.error == "Read-only.")
        let last = try fixture.auditLines().last { $0.hasPrefix("event=job-end") }
        #expect(last?.hasSuffix("outcome=failed saved_bytes=- detail=EROFS") == true)
    }

    @Test(arguments: [
        "echo nonsense", "say result; say result", "say report", "head -c 1100000 /dev/zero",
    ])
    func aWorkerThatSaysWhatItShouldNotFailsItsJob(worker: String) throws {
        let fixture = try ServiceFixture(worker: worker)
        #expect(try fixture.end(of: try fixture.submit()).state == .failed)
        #expect(try fixture.isAlive())
    }

    @Test func aLineOfAWorkerAtItsLimitIsReadAndOneByteMoreIsNot() throws {
        for (excess, state) in [(0, JobState.done), (1, .failed)] {
            let fixture = try ServiceFixture(
                worker: """
                    size=$(($(wc -c < "$cache/result.json") - 1))
                    printf "%$((\(Limits.eventBytes + excess) - size))s"
                    say result
                    """)
            #expect(try fixture.end(of: try fixture.submit()).state == state)
        }
    }

    @Test func aWorkerGetsNothingOfTheDaemonsEnvironment() throws {
        let fixture = try ServiceFixture(
            worker: "tr '\\0' '\\n' < /proc/self/environ > \"$cache/environment\"; say result")
        _ = try fixture.end(of: try fixture.submit())
        let text = String(
            decoding: try ServiceFixture.read(
                fixture.settings.cacheDirectory.appending("environment")), as: UTF8.self)
        // The last is what the script's shell says of where it is.
        let names = Set(text.split(separator: "\n").map { String($0.prefix { $0 != "=" }) })
        #expect(names.subtracting(["PWD", "OLDPWD", "SHLVL", "_"]) == ["PATH", "LC_ALL"])
    }

    @Test func aWorkerThatIsNotThereFailsItsJob() throws {
        let fixture = try ServiceFixture { settings in
            let worker = try #require(settings.worker)
            let directory = try Descriptor.open(
                worker.removingLastComponent(), [.readOnly, .directory])
            try directory.remove(entry: "worker")
        }
        #expect(try fixture.end(of: try fixture.submit()).state == .failed)
    }

    @Test func jobsRunOneAfterTheOther() throws {
        let fixture = try ServiceFixture(
            worker: """
                mkdir "$cache/alone" || exit 1
                \(ServiceFixture.waitForGate)
                rmdir "$cache/alone"
                say result
                """)
        let jobs = try (0..<3).map { _ in try fixture.submit() }
        for job in jobs {
            try fixture.openGate()
            #expect(try fixture.end(of: job).state == .done)
        }
    }

    @Test func theQueueIsBounded() throws {
        var bounds = Bounds()
        bounds.queuedJobs = 2
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result", bounds: bounds)
        let running = try fixture.submit()
        try fixture.waitForProgress(of: running)
        let waiting = [try fixture.submit(), try fixture.submit()]
        #expect(try fixture.exception(.compress)?.kind == .busy)
        for job in [running] + waiting {
            try fixture.openGate()
            #expect(try fixture.end(of: job).state == .done)
        }
        #expect(try fixture.history().count == 3)
    }

    @Test func historyIsBounded() throws {
        var bounds = Bounds()
        bounds.historyJobs = 3
        let fixture = try ServiceFixture(bounds: bounds)
        var jobs: [String] = []
        for _ in 0..<5 {
            jobs.append(try fixture.submit())
            _ = try fixture.end(of: try #require(jobs.last))
        }
        #expect(try fixture.history() == jobs.suffix(3).map { $0 + ".json" }.sorted())
        let list = try fixture.reply(JobList.self, .jobList, on: .name("dom0"))
        #expect(list.jobs.map(\.job) == jobs.suffix(3).reversed())
        #expect(try fixture.exception(.jobWatch, jobs[0], on: .name("dom0"))?.kind == .noSuchJob)
    }

    @Test func theInventoryIsReadAgainWhenAJobStarts() throws {
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result")
        let first = try fixture.submit()
        try fixture.waitForProgress(of: first)
        let second = try fixture.submit()
        // Another qube of the same name has taken the place of the one that was meant.
        try ServiceFixture.write(
            ServiceFixture.inventory(workFeatures: "", workNumber: 9), to: fixture.settings.qubesXML
        )
        try fixture.openGate()
        #expect(try fixture.end(of: first).state == .done)
        let record = try fixture.end(of: second)
        #expect(record.state == .failed)
        #expect(record.error == Refusal.noSuchQube.exception.message)
    }

    @Test func aQubeWithAMalformedFeatureIsLeftAloneAndNamed() throws {
        let fixture = try ServiceFixture { settings in
            let feature = #"<feature name="btrfs.compress">very</feature>"#
            try ServiceFixture.write(
                ServiceFixture.inventory(workFeatures: feature), to: settings.qubesXML)
        }
        let record = try fixture.end(of: try fixture.submit())
        #expect(record.result?.problems.first?.subject == "work")
        let skipped = Set(try fixture.order().volumes.filter(\.skipped).map(\.qube))
        #expect(skipped == ["work"])
    }

    @Test func aResultIsCutToItsBounds() throws {
        var result = Samples.result
        result.problems = (0...Limits.namedItems).map { _ in
            Report.Problem(subject: "work", message: String(repeating: "x", count: 1000))
        }
        let bounded = result.bounded()
        #expect(bounded.problems.count == Limits.namedItems)
        #expect(bounded.problems.allSatisfy { $0.message.count < 510 })
    }

    @Test func noPartOfAResultIsLong() throws {
        let long = String(repeating: "x", count: 1000)
        func many<Item>(_ item: Item) -> [Item] { Array(repeating: item, count: 60) }
        var usage = Samples.usage(dataUsedBytes: 1)
        usage.pools = many(long)
        usage.mountOptions = many(long)
        var result = Samples.result
        result.before = many(usage)
        result.after = many(usage)
        result.leftAlone = many(
            .init(reason: long, count: 1, diskBytes: 1, references: 7))
        result.problems = many(Report.Problem(subject: long, message: long))
        result.unreadable = many(
            UnreadablePlace(
                qube: long, volume: long, image: long, offsetBytes: 0, lengthBytes: 1,
                copies: many(long)))
        result.deviceErrors = many(DeviceErrorCounts(device: long, reads: 1))
        let bounded = result.bounded()
        let most = Limits.namedItems
        #expect(bounded.before.count == most && bounded.after.count == most)
        #expect(bounded.before.allSatisfy { $0.pools.count == most })
        #expect(bounded.before.allSatisfy { $0.mountOptions?.count == most })
        #expect(bounded.leftAlone.count == most && bounded.problems.count == most)
        #expect(bounded.leftAlone.allSatisfy { $0.references == 7 }, "nothing else is lost")
        #expect(bounded.unreadable?.count == most && bounded.deviceErrors?.count == most)
        #expect(
            bounded.unreadable?.allSatisfy { $0.copies?.count == Limits.namedCopies } == true)
        let text = String(decoding: try JSONEncoder().encode(bounded), as: UTF8.self)
        #expect(!text.contains(String(repeating: "x", count: Limits.textCharacters + 1)))
    }

    @Test func whatAWorkerSaysIsKeptAsFarAsItsBounds() throws {
        let long = String(repeating: "x", count: 1000)
        let fixture = try ServiceFixture(worker: "say progress; say result") { settings in
            var result = Samples.result
            result.problems = Array(repeating: Samples.problem("work"), count: 60)
            try ServiceFixture.message("result", .result(result), settings)
            var progress = JobProgress(
                stage: .execute, doneBytes: 1, totalBytes: 2, savedBytes: 0, elapsedSeconds: 1)
            progress.pacing = Pacing(state: .held, reason: .space, advice: long)
            try ServiceFixture.message("progress", .progress(progress), settings)
        }
        let record = try fixture.end(of: try fixture.submit())
        #expect(record.result?.problems.count == Limits.namedItems)
        #expect(record.progress?.pacing?.advice?.count == Limits.textCharacters + 3)
        let failing = try ServiceFixture(worker: "say failure") { settings in
            try ServiceFixture.message(
                "failure", .failure(kind: "BtrfsPoolError", message: long, detail: ""), settings)
        }
        let failed = try failing.end(of: try failing.submit())
        #expect(failed.error?.count == Limits.textCharacters + 3)
    }
}

extension ServiceFixture {
    /// Watches a job until its worker has said something, then goes away.
    func waitForProgress(of job: String) throws {
        let socket = try connect()
        try socket.send(
            Self.bytes(ServiceName.jobWatch.rawValue, job, on: .name("dom0")))
        try socket.shutdownWriting()
        let deadline = ContinuousClock.now + .seconds(Self.patienceSeconds)
        var reader = EnvelopeReader()
        while true {
            try #require(ContinuousClock.now < deadline, "Its worker says nothing.")
            while let event = try reader.nextEvent() {
                guard case .event(_, let name, let fields) = event else { continue }
                if name == JobEventName.progress.rawValue { return }
                if fields.contains(where: { $0.value.contains(#""progress""#) }) { return }
            }
            let bytes = try socket.read(maximumBytes: 64 * 1024)
            try #require(!bytes.isEmpty)
            reader.append(bytes)
        }
    }
}
