// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// One of each message, with the JSON that stands for it in version 1.
enum Sample {
    static let job = "0123456789abcdef0123"

    static let newRecord = JobRecord(
        job: job, operation: .compress, caller: "dom0", target: "dom0", argument: "",
        submittedAt: 1_700_000_000)
    static let newRecordJSON =
        #"{"argument":"","caller":"dom0","job":"0123456789abcdef0123","operation":"compress","#
        + #""state":"queued","submittedAt":1700000000,"target":"dom0","version":1}"#

    static let progress = JobProgress(
        stage: .execute, doneBytes: 1, totalBytes: 2, savedBytes: 3, elapsedSeconds: 4.5)
    static let progressJSON =
        #"{"doneBytes":1,"elapsedSeconds":4.5,"savedBytes":3,"stage":"execute","totalBytes":2}"#

    static func usage(dataUsedBytes: UInt64) -> FileSystemUsage {
        FileSystemUsage(
            pools: ["varlibqubes"], deviceBytes: 1, unallocatedBytes: 2, dataTotalBytes: 3,
            dataUsedBytes: dataUsedBytes, metadataTotalBytes: 5, metadataUsedBytes: UInt64.max)
    }
    static func usageJSON(dataUsedBytes: UInt64) -> String {
        #"{"dataTotalBytes":3,"dataUsedBytes":\#(dataUsedBytes),"deviceBytes":1,"#
            + #""metadataTotalBytes":5,"metadataUsedBytes":18446744073709551615,"#
            + #""pools":["varlibqubes"],"unallocatedBytes":2}"#
    }

    static let result = JobResult(
        before: [usage(dataUsedBytes: 9)], after: [usage(dataUsedBytes: 4)], extentsSeen: 6,
        extentsReplaced: 7, referencesMoved: 8, predictedBytes: 9,
        leftAlone: [.init(reason: "live", count: 10, diskBytes: 11)],
        problems: [.init(subject: "work", message: "gone")], elapsedSeconds: 12.5)
    static let resultJSON =
        #"{"after":["# + usageJSON(dataUsedBytes: 4) + #"],"before":["#
        + usageJSON(dataUsedBytes: 9)
        + #"],"elapsedSeconds":12.5,"extentsReplaced":7,"extentsSeen":6,"#
        + #""leftAlone":[{"count":10,"diskBytes":11,"reason":"live"}],"predictedBytes":9,"#
        + #""problems":[{"message":"gone","subject":"work"}],"referencesMoved":8}"#

    static var fullRecord: JobRecord {
        var record = JobRecord(
            job: job, operation: .dedupe, caller: "admin", target: "work", argument: "private",
            submittedAt: 1_700_000_000)
        record.state = .failed
        record.startedAt = 1_700_000_001
        record.endedAt = 1_700_000_100
        record.progress = progress
        record.result = result
        record.error = "no space"
        return record
    }

    static let figures = Figures(
        sizeBytes: 1, dataBytes: 2, diskBytes: 3, exclusiveBytes: 4, revisionsBytes: 5,
        compressedDiskBytes: 6, compressedDataBytes: 7, extents: 8, exclusiveDataBytes: 9,
        unreachableBytes: 10,
        storage: [.init(kind: "zstd", diskBytes: 6, contentBytes: 7, dataBytes: 12)])
    static let figuresJSON =
        #"{"compressedDataBytes":7,"compressedDiskBytes":6,"dataBytes":2,"diskBytes":3,"#
        + #""exclusiveBytes":4,"exclusiveDataBytes":9,"extents":8,"revisionsBytes":5,"#
        + #""sizeBytes":1,"#
        + #""storage":[{"contentBytes":7,"dataBytes":12,"diskBytes":6,"kind":"zstd"}],"#
        + #""unreachableBytes":10}"#

    static let report = Report(
        generatedAt: 1_700_000_000,
        qubes: [
            .init(
                name: "work", kind: "AppVM", figures: figures,
                volumes: [
                    .init(
                        name: "private", pool: "varlibqubes", figures: figures,
                        images: [
                            .init(
                                path: "appvms/work/private.img", role: "clean", sizeBytes: 9,
                                nocow: true)
                        ])
                ])
        ], total: figures, fileSystems: [usage(dataUsedBytes: 4)],
        problems: [.init(subject: "work", message: "gone")])
    static let reportJSON =
        #"{"fileSystems":["# + usageJSON(dataUsedBytes: 4) + #"],"generatedAt":1700000000,"#
        + #""problems":[{"message":"gone","subject":"work"}],"qubes":[{"figures":"# + figuresJSON
        + #","kind":"AppVM","name":"work","volumes":[{"figures":"# + figuresJSON
        + #","images":[{"nocow":true,"path":"appvms/work/private.img","role":"clean","#
        + #""sizeBytes":9}],"name":"private","pool":"varlibqubes"}]}],"total":"# + figuresJSON
        + #","version":1}"#

    static func order(_ work: WorkerOrder.Work) -> WorkerOrder {
        WorkerOrder(
            work: work, pools: [.init(name: "varlibqubes", directory: "/var/lib/qubes")],
            volumes: [
                .init(
                    qube: "work", qubeKind: "AppVM", name: "private", pool: "varlibqubes",
                    volumeIdentifier: "appvms/work/private", selected: true, skipped: false,
                    isVolatile: false, compressionLevel: 0, dedupeGroup: "g")
            ], wholeMachine: true)
    }
    static func orderJSON(work: String) -> String {
        #"{"form":2,"onBattery":false,"#
            + #""pools":[{"directory":"/var/lib/qubes","name":"varlibqubes"}],"#
            + #""version":1,"#
            + #""volumes":[{"compressionLevel":0,"dedupeGroup":"g","isVolatile":false,"#
            + #""name":"private","pool":"varlibqubes","qube":"work","qubeKind":"AppVM","#
            + #""selected":true,"skipped":false,"volumeIdentifier":"appvms/work/private"}],"#
            + #""wholeMachine":true,"work":"# + work + "}"
    }
}
