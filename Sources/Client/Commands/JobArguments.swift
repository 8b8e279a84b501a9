// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

/// The job that a command is about.
struct JobArguments: ParsableArguments {
    @Argument(help: "The job's id, or its first digits.")
    var job: JobPrefix

    @Option(
        help: ArgumentHelp(
            "The job's qube, where policy lets you ask about that alone.", valueName: "name"))
    var qube: QubeName?
}

/// A command that says one word to a job, and is done.
protocol WordCommand: ClientCommand {
    /// What it says.
    static var word: WorkerControl { get }
    /// To which job.
    var place: JobArguments { get }
}

extension WordCommand {
    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        let job = try context.client.resolve(place.job, of: place.qube)
        try context.follower(json: shared.json).change(job, Self.word)
        return .done
    }
}

/// A command that starts a job on each of its places.
protocol JobCommand: ClientCommand {
    static var operation: Operation { get }
    var place: PlaceArguments { get }
    var job: JobOptions { get }
    associatedtype Request: StrictRequest
    /// What the job is asked to do.
    var request: Request { get }
}

extension JobCommand {
    /// Starts one job, and calls back when one that is followed has ended.
    typealias Start = (
        Request, _ onEnd: (JobRecord) -> Void
    ) throws(ClientError) -> ExitStatus

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try start(context) { (_, start) throws(ClientError) in try start(request) { _ in } }
    }

    /// Starts a job on each place.
    /// - Parameter body: says what it is asked to do, or lets it be.
    func start(
        _ context: CommandContext,
        _ body: (Place, Start) throws(ClientError) -> ExitStatus
    ) throws(ClientError) -> ExitStatus {
        let follower = context.follower(json: shared.json, brief: job.brief)
        return try context.each(place.calls) { (place) throws(ClientError) in
            try body(place) { (request, onEnd) throws(ClientError) in
                if !shared.json && !job.noWait && !job.brief {
                    try context.separate(place, in: self.place.calls)
                }
                return try follower.start(
                    Self.operation, target: place.target, volume: place.argument,
                    request: request, waits: !job.noWait, onEnd: onEnd)
            }
        }
    }
}
