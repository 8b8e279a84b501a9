// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Client

@Suite struct FollowingTests {
    private let accepted = Envelope.reply(Array("{\"version\":1,\"job\":\"\(Sample.job)\"}".utf8))

    private func stream() throws -> [UInt8] {
        try Envelope.event(.state, Sample.record(.queued)).encoded()
            + Envelope.event(.state, Sample.record(.running)).encoded()
            + Envelope.event(.progress, Sample.progress(.survey, done: 1, of: 2, at: 0)).encoded()
            + Envelope.event(.progress, Sample.progress(.survey, done: 2, of: 2, at: 1)).encoded()
            + Envelope.heartbeat.encoded()
            + Envelope.event(
                subject: "job", name: "job-of-tomorrow", fields: []
            ).encoded()
            + Envelope.event(.progress, Sample.progress(.execute, done: 1, of: 2, at: 2)).encoded()
            + Envelope.answer(Sample.record(.done)).encoded()
    }

    @Test func aStartedJobIsFollowedToItsResult() throws {
        let run = try Run(
            ["compress", "work:private", "--level", "9", "--running"],
            [.answer(accepted.encoded()), .answer(try stream())])
        #expect(run.status == .done)
        #expect(
            run.calls[0].hasPrefix("btrfs.Compress+private dom0 name work\0"))
        #expect(run.calls[0].contains("\"level\":9"))
        #expect(run.calls[0].contains("\"running\":true"))
        #expect(run.calls[1].hasPrefix("btrfs.job.Watch+\(Sample.job) dom0 name work\0"))
        #expect(
            run.error == """
                Job \(Sample.job) was taken.
                compress work:private waits for the job before it.
                compress work:private is running.
                survey       [###############...............]   50 %
                execute      [###############...............]   50 %

                """)
        #expect(run.output.hasPrefix("Job \(Sample.job): compress work:private is done"))
    }

    @Test func forALogItIsOneLineOfWhatCameOfIt() throws {
        var held = Sample.progress(.execute, done: 1, of: 2, at: 2)
        held.pacing = Pacing(
            state: .held, reason: .space, advice: "it has room for 1 MiB", heldAt: 2)
        let waiting = try Envelope.event(.progress, held).encoded()
        let events = try Envelope.event(.state, Sample.record(.running)).encoded()
        let run = try Run(
            ["compress", "work:private", "--quiet", "--brief"],
            [
                .answer(accepted.encoded()),
                .answer(
                    events + waiting + waiting
                        + Envelope.answer(Sample.record(.done)).encoded()),
            ])
        #expect(run.status == .done)
        #expect(
            run.output == "compress work:private is done: 2.00 GiB came back. Left out: 1."
                + " Job \(Sample.job).\n")
        // What somebody has to do something about is said although it is to be quiet, once.
        #expect(
            run.error == "qvm-btrfs: The job waits for space on its file system: it has room for"
                + " 1 MiB.\n")
        #expect(try Run(["compress", "--brief", "--no-wait"]).status == .usage)
    }

    @Test func asJSONEveryMessageIsALineWithItsKindAndTheLastOneIsTheJob() throws {
        let run = try Run(
            ["dedupe", "work", "--json"], [.answer(accepted.encoded()), .answer(try stream())])
        let lines = run.output.split(separator: "\n")
        let kinds = lines.compactMap { line in
            JSONText.Kind.allCases.first { line.contains("\"message\":\"\($0.rawValue)\"") }
        }
        #expect(
            kinds == [
                .accepted, .state, .state, .progress, .progress, .heartbeat, .progress, .job,
            ])
        #expect(lines.count == kinds.count)
        #expect(lines.last?.contains("\"state\":\"done\"") == true)
        #expect(run.error == "")
    }

    @Test func aJobThatIsNotFollowedGivesItsId() throws {
        let run = try Run(["dedupe", "dom0", "--no-wait"], [.answer(accepted.encoded())])
        #expect(run.status == .done)
        #expect(run.output == "\(Sample.job)\n")
        #expect(
            run.calls == [
                "btrfs.Dedupe+ dom0 name dom0\0" + #"{"version":1}"#
            ])
    }

    @Test(arguments: ["compress", "dedupe", "optimize", "defragment", "sparsify"])
    func theRiskIsTakenOnlyWhereItIsAskedFor(command: String) throws {
        let run = try Run(
            [command, "dom0", "--no-wait", "--risk-read-only"], [.answer(accepted.encoded())])
        #expect(run.calls.first?.contains(#""riskReadOnly":true"#) == true)
        let without = try Run([command, "dom0", "--no-wait"], [.answer(accepted.encoded())])
        #expect(without.calls.first?.contains("riskReadOnly") == false)
    }

    @Test func asJSONAJobThatIsNotFollowedIsOneLine() throws {
        let run = try Run(["dedupe", "dom0", "--no-wait", "--json"], [.answer(accepted.encoded())])
        #expect(
            run.output == "{\"job\":\"\(Sample.job)\",\"message\":\"accepted\",\"version\":1}\n")
    }

    @Test(arguments: ["", "zz", "0123456789abcdef012", "0123456789abcdef0123+x"])
    func anIdThatIsNoneIsNotCalledWith(job: String) throws {
        let run = try Run(
            ["compress", "work"], [.answer(Envelope.answer(JobAccepted(job: job)).encoded())])
        #expect(run.status == .failed)
        #expect(run.calls.count == 1)
    }

    @Test func ctrlCLeavesTheJobRunningAndSaysHowToComeBack() throws {
        let interruption = Interruption()
        let run = try Run(
            ["watch", Sample.job],
            [
                .hold(
                    try Envelope.event(.state, Sample.record(.running)).encoded(),
                    { _ = interruption.interrupt() })
            ], interruption: interruption)
        #expect(run.status == .interrupted)
        #expect(
            run.error.hasSuffix("The job goes on. Watch it again: qvm-btrfs watch \(Sample.job)\n"))
    }

    @Test func ctrlCBeforeTheAnswerSaysWhereToLook() throws {
        let interruption = Interruption()
        let run = try Run(
            ["compress", "work"], [.hold([], { _ = interruption.interrupt() })],
            interruption: interruption)
        #expect(run.status == .interrupted)
        #expect(run.error.contains("'qvm-btrfs jobs' tells"))
    }

    @Test func onlyTheFirstSignalIsTheFirst() {
        let interruption = Interruption()
        #expect(!interruption.isInterrupted)
        #expect(interruption.interrupt())
        #expect(!interruption.interrupt())
        #expect(interruption.isInterrupted)
    }

    @Test func aSignalThatCameBeforeTheCallEndsItAtOnce() throws {
        let interruption = Interruption()
        _ = interruption.interrupt()
        let calls = Monitor(0)
        try interruption.cancelling({ calls.withLock { $0 += 1 } }) { () throws(ClientError) in
            #expect(calls.withLock { $0 } == 1)
        }
        #expect(throws: ClientError.interrupted) {
            try ServiceClient(
                transport: SocketTransport(path: "/nonexistent"), interruption: interruption
            ).jobs()
        }
    }

    @Test func aSignalAfterTheCallCancelsNothing() throws {
        let interruption = Interruption()
        let calls = Monitor(0)
        try interruption.cancelling({ calls.withLock { $0 += 1 } }) { () throws(ClientError) in }
        _ = interruption.interrupt()
        #expect(calls.withLock { $0 } == 0)
    }

    @Test func aStreamThatEndsWithinAJobIs3() throws {
        let run = try Run(
            ["watch", Sample.job],
            [.answer(try Envelope.event(.state, Sample.record(.running)).encoded())])
        #expect(run.status == .refused)
        // It is wrapped, wherever that falls.
        let text = run.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("A job that was started may go on"))
    }

    @Test func aLastRecordOfAJobThatIsNotOverIsAnEarlyEnd() throws {
        let run = try Run(
            ["watch", Sample.job], [.answer(Envelope.answer(Sample.record(.running)).encoded())])
        #expect(run.status == .refused)
    }

    @Test(arguments: ["{", "{}", "[1]"])
    func aJobEventThatIsNotOursIs1(json: String) throws {
        let run = try Run(
            ["watch", Sample.job], [.answer(Envelope.event(.progress, json).encoded())])
        #expect(run.status == .failed)
    }

    @Test func theBeginningOfAnIdIsEnoughWhenItIsTheOnlyOne() throws {
        let list = JobList(jobs: [
            Sample.record(.done, job: Sample.otherJob), Sample.record(.done),
        ])
        let run = try Run(
            ["watch", "01234"],
            [
                .answer(Envelope.answer(list).encoded()),
                .answer(Envelope.answer(Sample.record(.done)).encoded()),
            ])
        #expect(run.status == .done)
        #expect(run.calls[0].hasPrefix("btrfs.job.List+ dom0 name dom0\0"))
        // On the job's own qube: policy may allow that alone.
        #expect(run.calls[1].hasPrefix("btrfs.job.Watch+\(Sample.job) dom0 name work\0"))
    }

    @Test(arguments: ["watch", "cancel", "pause", "resume"])
    func whoMayAskAboutOneQubeAloneNamesIt(command: String) throws {
        let ends = ["watch", "cancel"].contains(command)
        let record = Sample.record(ends ? .cancelled : .paused)
        let taken = command == "cancel" ? Sample.record(.running) : record
        let answers = try [
            Envelope.answer(JobList(jobs: [record])), .answer(taken), .answer(record),
        ].prefix(command == "cancel" ? 3 : 2)
        let run = try Run(
            [command, "0123", "--qube", "work"], answers.map { .answer($0.encoded()) })
        #expect(run.calls.count > 1)
        for call in run.calls { #expect(call.contains(" dom0 name work\0"), "\(call)") }
        let list = try Run(
            ["jobs", "--qube", "work"], [.answer(Envelope.answer(JobList(jobs: [])).encoded())])
        #expect(list.calls[0].hasPrefix("btrfs.job.List+ dom0 name work\0"))
    }

    @Test func theBeginningOfSeveralIdsIsWrongUsage() throws {
        let list = JobList(jobs: [
            Sample.record(.done, job: Sample.otherJob), Sample.record(.done),
        ])
        let run = try Run(["watch", "0123"], [.answer(Envelope.answer(list).encoded())])
        #expect(run.status == .usage)
        #expect(run.error.contains("'0123' is the start of 2 jobs"))
    }

    @Test func theBeginningOfNoIdIs4() throws {
        let run = try Run(["watch", "f"], [.answer(Envelope.answer(JobList(jobs: [])).encoded())])
        #expect(run.status == .notFound)
        #expect(run.error.contains("no job that you may see starts with 'f'"))
    }

    @Test func aListedIdThatIsNoneIsNotCalledWith() throws {
        let list = JobList(jobs: [Sample.record(.done, job: "0123+../x")])
        let run = try Run(["watch", "0123"], [.answer(Envelope.answer(list).encoded())])
        #expect(run.status == .failed)
        #expect(run.calls.count == 1)
    }
}
