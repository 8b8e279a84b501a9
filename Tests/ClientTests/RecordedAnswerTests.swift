// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Testing

@testable import Client

/// Today's client reads what the daemons of earlier releases have answered, as recorded from them
/// in `Tests/Recorded`; the other way round is tested beside the daemon.
@Suite struct RecordedAnswerTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Recorded").path

    private static let releases =
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()

    /// What is asked, by the name of the recording; what comes of it.
    private static let commands: [(name: String, words: [String], status: ExitStatus)] = [
        ("report", ["report"], .done), ("report-qube", ["report", "work"], .done),
        ("report-volume", ["report", "work:private"], .done),
        ("report-chosen", ["report", "--qube", "work", "--qube", "vault"], .done),
        ("check-qube", ["check", "work"], .done), ("new-data", ["new-data", "work"], .done),
        ("new-data-set", ["new-data", "work", "--compress", "zstd"], .done),
        ("estimate", ["estimate", "work", "--no-wait"], .done),
        ("compress", ["compress", "work:private", "--no-wait"], .done),
        ("dedupe", ["dedupe", "--no-wait"], .done),
        ("optimize", ["optimize", "work", "--no-wait"], .done),
        ("defragment", ["defragment", "work", "--no-wait"], .done),
        ("jobs", ["jobs"], .done), ("jobs-qube", ["jobs", "--qube", "work"], .done),
        ("watch", ["watch", Sample.job], .done), ("pause", ["pause", Sample.job], .failed),
        ("cancel", ["cancel", Sample.job], .failed), ("unknown", ["report", "nosuch"], .notFound),
    ]

    @Test func oneReleaseAtLeastWasRecorded() { #expect(!Self.releases.isEmpty) }

    @Test(arguments: releases) func eachAnswerIsRead(release: String) throws {
        for (name, words, status) in Self.commands {
            let path = "\(Self.folder)/\(release)/\(name).answer"
            let answer = Array(try Data(contentsOf: URL(filePath: path)))
            for json in [[], ["--json"]] {
                let run = try Run(words + json, [.answer(answer)])
                #expect(run.status == status, "\(name): \(run.error)")
                if status == .done { #expect(!run.output.isEmpty) }
            }
        }
        // A check of the machine ends as that machine was.
        let path = "\(Self.folder)/\(release)/check.answer"
        let check = try Run(["check"], [.answer(Array(try Data(contentsOf: URL(filePath: path))))])
        #expect([.done, .findings].contains(check.status))
    }
}
