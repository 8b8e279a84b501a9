// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemPackage

@testable import Service

/// A worker that does as it is told and notes each word; it is done when it is told to go on.
enum ObedientWorker {
    /// - Parameter onPause: what its shell does when it is told to hold.
    static func script(onPause: String = ":") -> String {
        """
        say progress
        while read -r word; do
            echo "$word" >> "$cache/words"
            if [ "$word" = pause ]; then \(onPause); fi
            if [ "$word" = cancel ]; then say cancelled; exit 0; fi
            if [ "$word" = resume ]; then say result; exit 0; fi
        done
        """
    }
}

extension ServiceFixture {
    /// What workers have been told so far.
    var words: [String] {
        let bytes = (try? Self.read(settings.cacheDirectory.appending("words"))) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    /// Cancels, pauses or resumes a job.
    func change(
        _ service: ServiceName, _ job: String, from caller: String = "dom0",
        on target: String = "dom0"
    ) throws -> JobRecord {
        try reply(JobRecord.self, service, job, from: caller, on: .name(target))
    }

    /// A job whose worker is at work.
    func begin(on target: CallHeader.Target = .name("work")) throws -> String {
        let job = try submit(on: target)
        try waitForProgress(of: job)
        return job
    }
}
