// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Testing

/// A message is written as it stands here, and read again.
func check<Message: Codable & Equatable>(
    _ message: Message, _ golden: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let written = String(decoding: try encoder.encode(message), as: UTF8.self)
    #expect(written == golden, sourceLocation: sourceLocation)
    let read = try JSONDecoder().decode(Message.self, from: Data(golden.utf8))
    #expect(read == message, sourceLocation: sourceLocation)
}

/// The messages of version 1, to the byte. A change here is a change of the protocol: an old peer
/// must still understand it, or the version goes up.
@Suite struct GoldenTests {
    @Test func requests() throws {
        try check(PlainRequest(), #"{"version":1}"#)
        try check(CompressRequest(), #"{"version":1}"#)
        try check(
            CompressRequest(level: 9, running: true), #"{"level":9,"running":true,"version":1}"#)
        try check(
            DedupeRequest(running: true, battery: true),
            #"{"battery":true,"running":true,"version":1}"#)
        try check(
            DedupeRequest(riskReadOnly: true), #"{"riskReadOnly":true,"version":1}"#)
        try check(
            DedupeRequest(time: TimeLimit(forSeconds: 7200)), #"{"forSeconds":7200,"version":1}"#)
        try check(
            CompressRequest(time: TimeLimit(forSeconds: 60, waitCounts: true)),
            #"{"forSeconds":60,"version":1,"waitCounts":true}"#)
        try check(NewDataRequest(), #"{"version":1}"#)
        try check(NewDataRequest(compress: .inherit), #"{"compress":"default","version":1}"#)
        try check(DedupeRequest(), #"{"version":1}"#)
        try check(EstimateRequest(), #"{"version":1}"#)
        try check(EstimateRequest(running: true), #"{"running":true,"version":1}"#)
        let golden = #"{"exclude":["work"],"version":1}"#
        try check(CompressRequest(exclude: ["work"]), golden)
        try check(DedupeRequest(exclude: ["work"]), golden)
        try check(EstimateRequest(running: false, exclude: ["work"]), golden)
        try check(CheckRequest(exclude: ["work"]), golden)
        try check(VerifyRequest(), #"{"version":1}"#)
        try check(VerifyRequest(accept: false, exclude: ["work"]), golden)
        try check(
            VerifyRequest(accept: true, battery: true),
            #"{"accept":true,"battery":true,"version":1}"#)
    }

    @Test func jobAccepted() throws {
        try check(JobAccepted(job: Sample.job), #"{"job":"0123456789abcdef0123","version":1}"#)
    }

    @Test func aNewJob() throws {
        try check(Sample.newRecord, Sample.newRecordJSON)
        try check(JobList(jobs: []), #"{"jobs":[],"version":1}"#)
        try check(
            JobList(jobs: [Sample.newRecord]),
            #"{"jobs":["# + Sample.newRecordJSON + #"],"version":1}"#)
    }

    @Test func aJobThatIsOver() throws {
        try check(Sample.progress, Sample.progressJSON)
        try check(Sample.result, Sample.resultJSON)
        try check(
            Sample.fullRecord,
            #"{"argument":"private","caller":"admin","endedAt":1700000100,"error":"no space","#
                + #""job":"0123456789abcdef0123","operation":"dedupe","progress":"#
                + Sample.progressJSON + #","result":"# + Sample.resultJSON
                + #","startedAt":1700000001,"state":"failed","submittedAt":1700000000,"#
                + #""target":"work","version":1}"#)
    }

    @Test func aJobWhoseTimeWasOver() throws {
        var left = JobRemainder(
            forSeconds: 7200, plannedBytes: 5, leftBytes: 4, leftContentBytes: 6,
            predictedBytes: 3, restSeconds: 2.5, unplannedFileSystems: 1)
        left.knownBytes = 7
        left.toKnowBytes = 8
        try check(
            left,
            #"{"forSeconds":7200,"knownBytes":7,"leftBytes":4,"leftContentBytes":6,"#
                + #""plannedBytes":5,"predictedBytes":3,"restSeconds":2.5,"toKnowBytes":8,"#
                + #""unplannedFileSystems":1}"#)
        var result = Sample.result
        result.left = JobRemainder(forSeconds: 60)
        let json = Sample.resultJSON.replacing(
            #""leftAlone""#,
            with: #""left":{"forSeconds":60,"leftBytes":0,"leftContentBytes":0,"plannedBytes":0},"#
                + #""leftAlone""#)
        try check(result, json)
        var progress = Sample.progress
        progress.stopsInSeconds = 1.5
        try check(
            progress,
            Sample.progressJSON.replacing(
                #""totalBytes""#, with: #""stopsInSeconds":1.5,"totalBytes""#))
    }

    @Test func theStatesAndStagesHaveTheseNames() {
        #expect(
            JobState.allCases.map(\.rawValue) == [
                "queued", "running", "paused", "done", "failed", "interrupted", "cancelled",
            ])
        #expect(
            JobProgress.Stage.allCases.map(\.rawValue) == [
                "survey", "fingerprint", "match", "plan", "sample", "compare", "execute",
                "account",
            ])
        #expect(
            JobEventName.allCases.map(\.rawValue) == ["job-state", "job-progress", "heartbeat"])
    }

    @Test func theServicesAndExceptionsHaveTheseNames() {
        #expect(
            ServiceName.allCases.map(\.rawValue) == [
                "btrfs.Report", "btrfs.Estimate", "btrfs.Verify", "btrfs.Check", "btrfs.Compress",
                "btrfs.Dedupe", "btrfs.Optimize", "btrfs.Defragment", "btrfs.Sparsify",
                "btrfs.NewData",
                "btrfs.job.List", "btrfs.job.Watch",
                "btrfs.job.Cancel", "btrfs.job.Pause", "btrfs.job.Resume", "btrfs.job.Hold",
            ])
        #expect(
            ServiceException.Kind.allCases.map(\.rawValue) == [
                "QubesValueError", "QubesVMNotFoundError", "QubesVolumeNotFoundError",
                "BtrfsJobNotFoundError", "BtrfsJobOverError", "BtrfsPoolError", "BtrfsBusyError",
                "BtrfsError",
            ])
        #expect(
            Protocol.Operation.allCases.map(\.service) == [
                .estimate, .verify, .compress, .dedupe, .optimize, .defragment, .sparsify,
            ])
        #expect(
            Protocol.Operation.allCases.filter { $0.refusalOfSystem != nil } == [
                .verify, .sparsify,
            ])
        #expect(Protocol.Operation.allCases.filter(\.changesNothing) == [.estimate, .verify])
        #expect(Protocol.Operation(rawValue: "sparsify") == .sparsify)
    }

    @Test func pacing() throws {
        try check(Pacing(state: .full), #"{"heldShare":0,"state":"full"}"#)
        try check(
            Pacing(
                state: .held, reason: .space, heldShare: 0.5, othersWaitShare: 0.25, advice: "a"),
            #"{"advice":"a","heldShare":0.5,"othersWaitShare":0.25,"reason":"space","#
                + #""state":"held"}"#)
        var progress = Sample.progress
        progress.pacing = Pacing(state: .slowed, reason: .disk)
        try check(
            progress,
            Sample.progressJSON.replacing(
                #""savedBytes""#,
                with: #""pacing":{"heldShare":0,"reason":"disk","state":"slowed"},"savedBytes""#))
        #expect(Pacing.State.allCases.map(\.rawValue) == ["full", "slowed", "held"])
        #expect(
            Pacing.Reason.allCases.map(\.rawValue) == [
                "pause", "standstill", "turn", "trim", "space", "operation", "battery", "disk",
            ])
        try check(
            Pacing(state: .held, reason: .trim, qube: "work"),
            #"{"heldShare":0,"qube":"work","reason":"trim","state":"held"}"#)
    }

    @Test func theEndOfAHold() throws {
        try check(JobHoldEnd(heldSeconds: 1.5), #"{"heldSeconds":1.5,"version":1}"#)
    }

    @Test func subjects() throws {
        try check(Subject.qube("work"), #"{"kind":"qube","qube":"work"}"#)
        try check(
            Subject.image(qube: "work", volume: "root", path: "appvms/work/root.img"),
            #"{"kind":"image","path":"appvms/work/root.img","qube":"work","volume":"root"}"#)
        try check(
            Subject.image(qube: "work", volume: "root", path: nil),
            #"{"kind":"image","qube":"work","volume":"root"}"#)
        try check(Subject.pools(["a", "b"]), #"{"kind":"pools","pools":["a","b"]}"#)
        try check(Subject.machine, #"{"kind":"machine"}"#)
        try check(
            Report.Problem(.qube("work"), "gone"),
            #"{"about":{"kind":"qube","qube":"work"},"message":"gone","subject":"work"}"#)
    }

    @Test("An estimate of a machine with thousands of qubes fits into a line")
    func estimates() throws {
        let most = Estimate.Saving(savedBytes: .max, errorBytes: .max)
        let figures = Estimate.Figures(
            diskBytes: .max, dedupe: most,
            levels: [nil, 1, 3, 6, 9, 12, 15, 19].map {
                .init(level: $0, compress: most, optimize: most)
            })
        let whole = Estimate(
            total: figures,
            qubes: (0..<4096).map { number in
                .init(
                    name: "a-name-as-long-as-one-may-\(number)", figures: figures,
                    volumes: ["root", "private"].map { .init(name: $0, figures: figures) })
            }, qubesLeftOut: 0, sampledFrames: .max)
        let cut = whole.fitting()
        #expect(try JSONEncoder().encode(cut).count <= Limits.estimateBytes)
        #expect(cut.total == whole.total && !cut.qubes.isEmpty)
        #expect(cut.qubes.count + cut.qubesLeftOut == 4096)
    }

    @Test func controls() {
        #expect(WorkerControl.allCases.map(\.rawValue) == ["pause", "resume", "cancel"])
    }

    @Test func report() throws {
        try check(Sample.report, Sample.reportJSON)
    }

    @Test func requestsOfReports() throws {
        try check(ReportRequest(), #"{"version":1}"#)
        try check(
            ReportRequest(qubes: ["work"], template: "deb", running: true),
            #"{"qubes":["work"],"running":true,"template":"deb","version":1}"#)
    }

    @Test func partsOfReports() throws {
        try check(
            QubeSet(name: "deb", qubes: ["deb", "work"], figures: Sample.figures),
            #"{"figures":"# + Sample.figuresJSON + #","name":"deb","qubes":["deb","work"]}"#)
        try check(
            MachineFigures(
                everything: Sample.figures, others: Sample.figures, savedByCompressionBytes: 1,
                savedBySharingBytes: 2,
                gains: [Gain(operation: "optimize", bytes: 3, measuredAt: 4)]),
            #"{"everything":"# + Sample.figuresJSON
                + #","gains":[{"bytes":3,"measuredAt":4,"operation":"optimize"}],"others":"#
                + Sample.figuresJSON
                + #","savedByCompressionBytes":1,"savedBySharingBytes":2}"#)
        var machine = MachineFigures(
            everything: Sample.figures, others: Sample.figures, savedByCompressionBytes: 1,
            savedBySharingBytes: 2)
        machine.deletedSubvolumes = 3
        machine.deletedSubvolumesBytes = 4
        try check(
            machine,
            #"{"deletedSubvolumes":3,"deletedSubvolumesBytes":4,"everything":"#
                + Sample.figuresJSON + #","gains":[],"others":"# + Sample.figuresJSON
                + #","savedByCompressionBytes":1,"savedBySharingBytes":2}"#)
        try check(
            SpaceHolder(path: "a/b", isSnapshot: true, diskBytes: 2, exclusiveBytes: 1),
            #"{"diskBytes":2,"exclusiveBytes":1,"isSnapshot":true,"path":"a/b"}"#)
        try check(
            HeldOfQube(qube: "work", bytes: 3), #"{"bytes":3,"qube":"work"}"#)
        try check(
            HistoryPoint(
                at: 1, deviceBytes: 2, dataUsedBytes: 3, metadataUsedBytes: 4, unallocatedBytes: 5,
                referencedBytes: 6, operation: "dedupe", savedBytes: -7),
            #"{"at":1,"dataUsedBytes":3,"deviceBytes":2,"metadataUsedBytes":4,"#
                + #""operation":"dedupe","referencedBytes":6,"savedBytes":-7,"#
                + #""unallocatedBytes":5}"#)
    }

    @Test func settingsOfAVolume() throws {
        var volume = Report.Volume(
            name: "private", pool: "p", figures: Sample.figures, images: [])
        volume.settings = Report.Settings(
            compress: .init("zstd:9", .template, template: "deb"), dedupeGroup: .init("x", .hidden),
            skip: .init(nil, .byDefault))
        try check(
            volume,
            #"{"figures":"# + Sample.figuresJSON + #","images":[],"name":"private","pool":"p","#
                + #""settings":{"compress":{"origin":"template","template":"deb","#
                + #""value":"zstd:9"},"dedupeGroup":{"origin":"hidden","value":"x"},"#
                + #""skip":{"origin":"default"}}}"#)
        #expect(
            Report.Setting.Origin.allCases.map(\.rawValue) == [
                "qube", "template", "dom0", "default", "hidden",
            ])
    }

    @Test func checks() throws {
        try check(
            CheckReport(
                checkedAt: 1,
                findings: [
                    .init(.warning, "mount.discard", "pool", "m", reason: "r", command: "c"),
                    .init(.good, "kernel", "dom0", "m"),
                ]),
            #"{"checkedAt":1,"findings":[{"command":"c","level":"warning","message":"m","#
                + #""reason":"r","subject":"pool","topic":"mount.discard"},{"level":"good","#
                + #""message":"m","subject":"dom0","topic":"kernel"}],"version":1}"#)
    }

    @Test func aReportOfAnOlderReleaseIsRead() throws {
        let json =
            #"{"fileSystems":[],"generatedAt":1,"problems":[],"qubes":[],"total":{"#
            + #""compressedDataBytes":7,"compressedDiskBytes":6,"dataBytes":2,"diskBytes":3,"#
            + #""exclusiveBytes":4,"extents":8,"revisionsBytes":5,"sizeBytes":1},"version":1}"#
        let report = try JSONDecoder().decode(Report.self, from: Data(json.utf8))
        #expect(report.total.diskBytes == 3 && report.total.storage.isEmpty)
    }

    @Test func workerOrders() throws {
        try check(
            Sample.order(.report),
            Sample.orderJSON(work: #"{"report":{}}"#))
        try check(
            Sample.order(.newData(.off)), Sample.orderJSON(work: #"{"newData":{"_0":"off"}}"#))
        try check(
            Sample.order(.estimate(running: false)),
            Sample.orderJSON(work: #"{"estimate":{"running":false}}"#))
        try check(
            Sample.order(.verify(accepts: true)),
            Sample.orderJSON(work: #"{"verify":{"accepts":true}}"#))
        try check(
            Sample.order(.compress(level: 3, running: true)),
            Sample.orderJSON(work: #"{"compress":{"level":3,"running":true}}"#))
        try check(
            Sample.order(.compress(level: nil, running: false)),
            Sample.orderJSON(work: #"{"compress":{"running":false}}"#))
        try check(
            Sample.order(.dedupe(running: false)),
            Sample.orderJSON(work: #"{"dedupe":{"running":false}}"#))
        try check(
            Sample.order(.sparsify(running: true)),
            Sample.orderJSON(work: #"{"sparsify":{"running":true}}"#))
    }

    @Test func workerMessages() throws {
        try check(
            WorkerMessage.progress(Sample.progress),
            #"{"progress":{"_0":"# + Sample.progressJSON + "}}")
        try check(
            WorkerMessage.report(Sample.report), #"{"report":{"_0":"# + Sample.reportJSON + "}}")
        try check(
            WorkerMessage.result(Sample.result), #"{"result":{"_0":"# + Sample.resultJSON + "}}")
        try check(
            WorkerMessage.cancelled(Sample.result),
            #"{"cancelled":{"_0":"# + Sample.resultJSON + "}}")
        try check(
            WorkerMessage.failure(kind: "BtrfsError", message: "m", detail: "d"),
            #"{"failure":{"detail":"d","kind":"BtrfsError","message":"m"}}"#)
    }

    @Test func aReplyMayHaveKeysThatAreNewer() throws {
        let json = #"{"job":"0123456789abcdef0123","queue":4,"version":1}"#
        let read = try JSONDecoder().decode(JobAccepted.self, from: Data(json.utf8))
        #expect(read == JobAccepted(job: Sample.job))
    }

    @Test func aReplyOfANewerVersionIsRefused() {
        let json = #"{"job":"0123456789abcdef0123","version":2}"#
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(JobAccepted.self, from: Data(json.utf8))
        }
    }
}
