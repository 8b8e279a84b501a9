// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// What a job does: the work of an order that moves references.
enum JobKind: Equatable {
    case compress(level: Int?)
    case dedupe
    case optimize(level: Int?)
    case defragment
    case sparsify

    /// It may make holes of what reads as zeroes.
    var makesHoles: Bool { self != .defragment }

    /// Its plan tells what it will save; how well content packs is known when it is packed.
    var isPredicted: Bool { self == .dedupe || self == .sparsify }
}

/// What a worker is there for, by what it needs for it.
enum WorkerTask {
    case report
    case check
    case newData(NewDataSetting?)
    case estimate
    case verify(accepts: Bool)
    case job(JobKind)

    init(_ work: WorkerOrder.Work) {
        switch work {
        case .report: self = .report
        case .check: self = .check
        case .newData(let setting): self = .newData(setting)
        case .estimate: self = .estimate
        case .verify(let accepts): self = .verify(accepts: accepts)
        case .compress(let level, _): self = .job(.compress(level: level))
        case .dedupe: self = .job(.dedupe)
        case .optimize(let level, _): self = .job(.optimize(level: level))
        case .defragment: self = .job(.defragment)
        case .sparsify: self = .job(.sparsify)
        }
    }

    /// Nobody waits for it at once: where a file system stands still it waits.
    var waitsForMotion: Bool {
        switch self {
        case .report, .check, .newData: false
        case .estimate, .verify, .job: true
        }
    }

    /// A file system that is frozen is of interest to it: who only reads goes on there.
    var mindsFrozen: Bool {
        switch self {
        case .report, .newData(nil): false
        case .check, .newData, .estimate, .verify, .job: true
        }
    }

    /// It compares images with what is kept of them.
    var comparesImages: Bool {
        switch self {
        case .verify: true
        case .report, .check, .newData, .estimate, .job: false
        }
    }

    /// It changes where images lie.
    var movesReferences: Bool {
        switch self {
        case .report, .check, .newData, .estimate, .verify: false
        case .job: true
        }
    }
}
