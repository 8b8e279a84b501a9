// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

@Suite struct OutputTests {
    /// What a worker has written into a file.
    private func written(_ body: (Output) -> Void) throws -> [WorkerMessage] {
        let path = FileManager.default.temporaryDirectory
            .appendingPathComponent("output-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try FileDescriptor.open(
            FilePath(path), .writeOnly, options: .create, permissions: .ownerReadWrite)
        try file.closeAfter { body(Output(file, clock: .system)) }
        return try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: 0x0a).map {
            try JSONDecoder().decode(WorkerMessage.self, from: Data($0))
        }
    }

    @Test("Progress says when a job stops, and what of its content is known")
    func time() throws {
        var known: [UInt64?] = []
        let messages = try written { output in
            output.progress(.survey)
            output.follow(Deadline(forSeconds: 60) { 40 })
            known.append(output.known?.bytes)
            output.progress(.fingerprint, doneBytes: 3, totalBytes: 8)
            known.append(output.known?.bytes)
            output.progress(.plan)
            known.append(output.known?.bytes)
            output.pacing(Pacing(state: .held, reason: .pause))
            // Of the next file system nothing is known.
            output.progress(.survey)
            known.append(output.known?.bytes)
        }
        let stops = messages.map { message -> Double? in
            if case .progress(let progress) = message { progress.stopsInSeconds } else { nil }
        }
        #expect(stops == [nil, 20, 20, 20, 20])
        #expect(known == [nil, 3, 8, nil])
    }

    /// The thread that paces a job may be about to say something when the job ends.
    @Test("Nothing comes after the end")
    func end() throws {
        let end = WorkerMessage.failure(kind: "Failed", message: "it failed", detail: "")
        let messages = try written { output in
            output.progress(.account)
            output.end(end)
            output.pacing(Pacing(state: .slowed, reason: .disk))
            output.progress(.survey)
        }
        #expect(messages.count == 2)
        #expect(messages.last == end)
    }
}
