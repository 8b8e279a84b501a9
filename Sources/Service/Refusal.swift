// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// Why a call is not answered: what the caller reads, and what dom0's log says besides.
struct Refusal: Error, Equatable {
    /// For the caller. It holds nothing that the caller sent, and no detail of dom0.
    let exception: ServiceException
    /// For the log.
    let detail: String?

    init(_ kind: ServiceException.Kind, _ message: String, detail: String? = nil) {
        exception = ServiceException(kind, message)
        self.detail = detail
    }

    /// The same for a qube that is not there and one that the caller may not see.
    static let noSuchQube = Refusal(
        .noSuchQube, "There is no such qube, or it is not visible to the caller.")

    /// The same for a job that is not there and one that the caller may not see.
    static let noSuchJob = Refusal(
        .noSuchJob, "There is no such job, or it is not visible to the caller.")

    /// Something failed in dom0.
    static func failed(_ message: String, detail: String) -> Refusal {
        Refusal(.failed, "\(message) The log in dom0 says why.", detail: detail)
    }
}
