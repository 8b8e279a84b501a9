// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// Why a call is not answered: what the caller reads, and what dom0's log says besides.
struct Refusal: Error, Equatable {
    /// For any caller. It holds nothing that the caller sent, and no detail of dom0.
    let exception: ServiceException
    /// For the log.
    let detail: String?
    /// For dom0, which may read the log anyway; nil where it gets what any caller gets.
    private var ownMessage: String?

    init(_ kind: ServiceException.Kind, _ message: String, detail: String? = nil) {
        exception = ServiceException(kind, message)
        self.detail = detail
    }

    /// No service of that name.
    static let noSuchService = Refusal(
        .badRequest,
        "There is no such service; there are "
            + ServiceName.allCases.map(\.rawValue).joined(separator: ", ") + ".")

    /// The same for a qube that is not there and one that the caller may not see.
    static let noSuchQube = Refusal(
        .noSuchQube, "There is no such qube, or it is not visible to the caller.")

    /// The same for a job that is not there and one that the caller may not see.
    static let noSuchJob = Refusal(
        .noSuchJob, "There is no such job, or it is not visible to the caller.")

    /// It is seen, and not its caller's to change on this target.
    static let othersJob = Refusal(
        .noSuchJob,
        "This job was asked for by somebody else; name its qube as the target (--qube) to change"
            + " it.")

    /// Nothing of it can be changed any more.
    static let jobOver = Refusal(
        .jobOver, "The job is over already; btrfs.job.Watch gives what it brought.")

    /// Something failed in dom0.
    static func failed(_ message: String, detail: String) -> Refusal {
        var refusal = Refusal(.failed, "\(message) \(seeLog)", detail: detail)
        refusal.ownMessage = "\(message) The reason: \(detail.bounded())"
        return refusal
    }

    /// Where the reason stands that a caller is not told.
    static let seeLog = "The log in dom0, \(Settings().logFile), says why."

    /// What this caller reads.
    func exception(for caller: String) -> ServiceException {
        guard caller == QubeName.machine, let ownMessage else { return exception }
        return ServiceException(exception.kind, ownMessage)
    }
}
