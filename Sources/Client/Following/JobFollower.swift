// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// Starts a job and stays with it, or comes back to one.
struct JobFollower {
    let client: ServiceClient
    let console: Console
    let display: any JobDisplay

    /// Starts a job, then follows it when `waits`.
    /// - Parameter onEnd: gets the job when it is over.
    func start(
        _ operation: Operation, target: String, volume: String, request: some StrictRequest,
        waits: Bool, onEnd: (JobRecord) -> Void = { _ in }
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
        let place = JobPlace(accepted.job, on: target)
        try display.accepted(accepted)
        guard waits else {
            try display.leave(accepted, place)
            return .done
        }
        return try follow(place, onEnd: onEnd)
    }

    /// Follows a job to its end. After a signal a person is asked whether to leave it running;
    /// where nobody can be asked it is left running.
    func follow(
        _ place: JobPlace, onEnd: (JobRecord) -> Void = { _ in }
    ) throws(ClientError) -> ExitStatus {
        let job = place.job
        while true {
            do throws(ClientError) {
                let record = try client.watch(place) { (event) throws(ClientError) in
                    try display.event(event)
                }
                onEnd(record)
                try display.end(record)
                return record.exitStatus
            } catch .interrupted {
                guard try endsIt(place) else {
                    console.note("The job goes on. Watch it again:", command: place.watchCommand)
                    throw .interrupted
                }
            } catch .refused(let service, let target, let status) {
                console.note("Job \(job) goes on; it cannot be followed from here.")
                throw .refused(service: service, target: target, exitStatus: status)
            } catch .service(let exception) where exception.kind != .noSuchJob {
                console.note("Job \(job) goes on. Watch it again:", command: place.watchCommand)
                throw .service(exception)
            } catch .endedEarly {
                try leave(place, .endedEarly)
            } catch .connection(let reason) {
                try leave(place, .connection(reason))
            } catch .unreachable(let socket, let reason) {
                try leave(place, .unreachable(socket: socket, reason: reason))
            } catch {
                throw error
            }
        }
    }

    /// The way to the service is gone, and nothing is known of the job.
    private func leave(_ place: JobPlace, _ error: ClientError) throws(ClientError) -> Never {
        console.note(
            "Nothing was heard of job \(place.job) since:", command: place.watchCommand)
        throw error
    }

    /// Asks, and cancels the job when that is wanted.
    /// - Returns: whether it is on its way to its end, to be followed there.
    private func endsIt(_ place: JobPlace) throws(ClientError) -> Bool {
        guard display.isForPeople,
            let answer = console.ask("Leave the job running? [Y/n] "),
            ["n", "no"].contains(answer.lowercased())
        else { return false }
        client.interruption.clear()
        do throws(ClientError) {
            try change(place, .cancel)
            return true
        } catch .jobOver {
            return true
        } catch {
            throw error
        }
    }

    /// Cancels, pauses or resumes a job, and says so.
    /// - Returns: the job as it stands then.
    @discardableResult
    func change(_ place: JobPlace, _ word: WorkerControl) throws(ClientError) -> JobRecord {
        let record: JobRecord
        do throws(ClientError) {
            record = try client.change(place, word)
        } catch .service(let exception) where exception.kind == .jobOver {
            throw .jobOver(watch: place.watchCommand)
        } catch {
            throw error
        }
        // One that never began has no other end than this.
        if !record.isOver { try display.changed(record, word) }
        return record
    }

    /// Ends a job, and shows what it brought when `waits`.
    func cancel(_ place: JobPlace, waits: Bool) throws(ClientError) -> ExitStatus {
        let record = try change(place, .cancel)
        if record.isOver {
            try display.end(record)
            return .done
        }
        guard waits else { return .done }
        let status = try follow(place)
        // That it was cancelled is what was wanted.
        return status == .jobCancelled ? .done : status
    }
}
