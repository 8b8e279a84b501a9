// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// Starts a job and stays with it, or comes back to one.
struct JobFollower {
    let client: ServiceClient
    let console: Console
    let display: any JobDisplay

    /// Starts a job, then follows it when `waits`.
    func start(
        _ operation: Operation, target: String, volume: String, request: some StrictRequest,
        waits: Bool
    ) throws(ClientError) -> ExitStatus {
        let accepted: JobAccepted
        do throws(ClientError) {
            accepted = try client.start(
                operation, target: target, volume: volume, request: request)
            // It becomes an argument of the next call.
            guard JobPrefix(accepted.job)?.isWhole == true else {
                throw .unreadable("job's acceptance")
            }
        } catch .interrupted {
            console.note(
                "Interrupted before the service answered: 'qvm-btrfs jobs' tells of the job.")
            throw .interrupted
        } catch {
            throw error
        }
        try display.accepted(accepted)
        guard waits else {
            try display.leave(accepted)
            return .done
        }
        return try follow(accepted.job)
    }

    /// Follows a job to its end; a signal leaves it running.
    /// - Parameter job: a whole id.
    func follow(_ job: String) throws(ClientError) -> ExitStatus {
        do throws(ClientError) {
            let record = try client.watch(job) { (event) throws(ClientError) in
                try display.event(event)
            }
            try display.end(record)
            return record.state.exitStatus
        } catch .interrupted {
            console.note("The job goes on. Watch it again: qvm-btrfs watch \(job)")
            throw .interrupted
        } catch {
            throw error
        }
    }
}
