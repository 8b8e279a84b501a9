// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

/// Where a program gets the time from: a test that has a month go by is worth what this is.
@Suite("Clocks")
struct ClockTests {
    private static let programs = ["Client", "Service", "Worker"].flatMap {
        Checkout.files(under: "Sources/\($0)", suffixes: [".swift"])
    }

    /// Those that wait for something outside, or bound how long it may take, by the kernel's clock.
    static let waiting: Set<String> = [
        "Sources/Client/Trim/TrimRun.swift", "Sources/Client/Trim/TrimStart.swift",
        "Sources/Service/Door/Connection.swift", "Sources/Service/Workers/Spacing.swift",
        "Sources/Worker/Pacing/StandstillWatch.swift", "Sources/Worker/Sites/Site.swift",
        "Sources/Worker/Sites/StillSites.swift",
    ]

    /// What stands at the edge, and hands the machine's clock in.
    static let edges: Set<String> = [
        "Sources/Client/ClientProgram.swift", "Sources/Service/Door/DaemonProgram.swift",
        "Sources/Worker/Program/WorkerProgram.swift",
    ]

    /// The line asks what time it is.
    static func asks(_ line: String) -> Bool {
        let code = line.prefix(upTo: line.firstRange(of: "//")?.lowerBound ?? line.endIndex)
        return code.contains(#/\bDate\(\)|\bDate\.now|\b(Continuous|Suspending)Clock(\(\)|\.now)/#)
            || code.contains(#/(^|[\s(\[])\.now\b/#)
            || code.contains(#/\b(clock_gettime|gettimeofday|DispatchTime|time\(nil\))/#)
    }

    @Test("A line that asks for the time is seen in every form")
    func recognition() {
        for line in [
            "let now = Date()", "at: .now)", "ContinuousClock.now + x", "f(.now)",
            "private let clock = SuspendingClock()", "clock_gettime(CLOCK_REALTIME, &t)",
        ] {
            #expect(Self.asks(line), "\(line)")
        }
        for line in ["clock.now()", "var now: Int64", "/// By `ContinuousClock.now`.", "jobs.now"] {
            #expect(!Self.asks(line), "\(line)")
        }
    }

    @Test("Nothing decides or dates by another clock than the one that is handed in")
    func handedIn() throws {
        let asking = try Self.programs.filter { try Checkout.lines($0).contains(where: Self.asks) }
        #expect(Set(asking) == Self.waiting)
    }

    @Test("The machine's clock comes in at the edge of each program, and nowhere else")
    func edges() throws {
        let taking = try Self.programs.filter {
            try Checkout.text($0).contains(#/MachineClock\.system|(clock|machine): \.system/#)
        }
        #expect(Set(taking) == Self.edges)
    }
}
