// SPDX-License-Identifier: GPL-2.0-or-later

/// What a service does: those that differ in a word alone are one kind.
public enum ServiceKind: Equatable, Sendable {
    case report
    case check
    case newData
    /// Starts a job.
    case start(Operation)
    case jobList
    case jobWatch
    /// Says this to a job.
    case control(WorkerControl)
    case jobHold
}

extension ServiceName {
    /// What it does.
    public var kind: ServiceKind {
        switch self {
        case .report: .report
        case .check: .check
        case .newData: .newData
        case .estimate: .start(.estimate)
        case .verify: .start(.verify)
        case .compress: .start(.compress)
        case .dedupe: .start(.dedupe)
        case .optimize: .start(.optimize)
        case .defragment: .start(.defragment)
        case .sparsify: .start(.sparsify)
        case .jobList: .jobList
        case .jobWatch: .jobWatch
        case .jobCancel: .control(.cancel)
        case .jobPause: .control(.pause)
        case .jobResume: .control(.resume)
        case .jobHold: .jobHold
        }
    }
}

extension WorkerControl {
    /// The service that says it.
    public var service: ServiceName {
        switch self {
        case .cancel: .jobCancel
        case .pause: .jobPause
        case .resume: .jobResume
        }
    }
}
