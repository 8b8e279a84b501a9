// SPDX-License-Identifier: GPL-2.0-or-later
//
// bench-scale TEBIBYTES: keeps and matches made-up checksums of so many tebibytes, and tells how
// long it took, how much memory it had at most, and how many of the planted runs it found.
import Engine
import Glibc
import SystemCalls
import SystemPackage
import Worker

/// The most memory that this process has had, in bytes, by the kernel's account.
func peakMemoryBytes() -> Int {
    var usage = rusage()
    unsafe getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss << 10
}

/// The most memory that this process has had and that no file stands behind, in bytes, as far as a
/// look every tenth of a second sees it. What is mapped from a file the kernel drops where it needs
/// the room.
final class AnonymousPeak: Sendable {
    private let peak = Monitor(0)

    init() throws(Errno) {
        try WorkThread.start { [peak] in
            while true {
                let now = Self.now()
                peak.withLock { $0 = max($0, now) }
                usleep(100_000)
            }
        }
    }

    var bytes: Int { peak.withLock { max($0, Self.now()) } }

    /// `RssAnon` of /proc/self/status.
    private static func now() -> Int {
        guard let status = try? Descriptor.open("/proc/self/status", .readOnly),
            let bytes = try? status.read(maximumBytes: 1 << 16)
        else { return 0 }
        let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix("RssAnon:") }
        return (line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) << 10
    }
}

func seconds(since start: ContinuousClock.Instant) -> Double {
    let elapsed = (ContinuousClock.now - start).components
    return Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
}

func oneDecimal(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

/// What was planted, and what of it was found whole.
struct Findings {
    var planted = 0
    var found = 0
    var sharePercent: Double { 100 * Double(found) / Double(max(planted, 1)) }

    mutating func count(_ runs: [Run], in extent: Int, of sums: SyntheticSums) {
        for cell in (extent * 12)..<((extent + 1) * 12) {
            guard let plant = sums.plant(in: cell) else { continue }
            planted += 1
            if runs.contains(where: {
                $0.sectors.lowerBound <= plant.sectors.lowerBound
                    && $0.sectors.upperBound >= plant.sectors.upperBound
            }) {
                found += 1
            }
        }
    }
}

/// Keeps all checksums as a job does, matches them, and counts the planted runs that it finds.
func run(tebibytes: Int) throws {
    let sums = SyntheticSums(tebibytes: tebibytes)
    let directory = SharedDescriptor(
        try Descriptor.open(FilePath("/var/tmp"), [.readOnly, .directory]))
    let start = ContinuousClock.now
    let spills = try SpillPool(in: directory, count: 12)
    var writer = FingerprintWriter(spills: spills)
    for extent in 0..<sums.extentCount {
        try writer.append(
            extent: extent,
            closed: sums.range(extent).map { Fingerprints.closed(sums.sum(at: $0)) })
    }
    let fingerprints = try writer.finish()
    let kept = seconds(since: start)
    var resources = MatchResources()
    resources.spills = spills
    let members = (0..<sums.extentCount).lazy.map {
        MatchMember(sectors: sums.range($0), rank: 1, salt: 0, salts: [0])
    }
    var matcher = try Matcher(members, in: fingerprints, resources: resources)
    let sorted = seconds(since: start)
    var findings = Findings()
    for (extent, member) in members.enumerated() {
        findings.count(try matcher.runs(of: member), in: extent, of: sums)
    }
    let total = seconds(since: start)
    let allowed = tebibytes == 1 ? 256 : 512
    print(
        """
        \(tebibytes) TiB of content, \(sums.sectorCount) sectors, \(matcher.anchorCount) anchors
          time                \(oneDecimal(total)) s (making up and keeping checksums \
        \(oneDecimal(kept)) s, anchors and sorts \(oneDecimal(sorted - kept)) s, runs \
        \(oneDecimal(total - sorted)) s)
          peak memory         \(peakMemoryBytes() >> 20) MiB, allowed are \(allowed)
          runs planted        \(findings.planted), of 64 KiB to 2 MiB
          runs found whole    \(findings.found) \
        (\((findings.sharePercent * 1000).rounded() / 1000) %)
        """)
    // What is promised for one tebibyte of runs; beyond two, only longer ones are certain.
    let isFound = tebibytes > 2 || findings.sharePercent >= 99.9
    guard peakMemoryBytes() <= allowed << 20, isFound else { throw Errno.outOfRange }
}

if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "report",
    let millions = Int(CommandLine.arguments[2]), (1...100).contains(millions)
{
    try ReportScale.run(millions: millions)
    exit(0)
}
if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "plan",
    let kind = PlanScale.Kind(rawValue: CommandLine.arguments[2]),
    let millions = Double(CommandLine.arguments[3]), (0.001...200).contains(millions)
{
    try PlanScale.run(kind, millions: millions)
    exit(0)
}
guard CommandLine.arguments.count == 2, let tebibytes = Int(CommandLine.arguments[1]),
    (1...64).contains(tebibytes)
else {
    print(
        """
        usage: bench-scale TEBIBYTES (1 to 64)
               bench-scale report MILLIONS (1 to 100)
               bench-scale plan ordinary|packed|same|shared|scattered MILLIONS (0.001 to 200)
        """)
    exit(2)
}
try run(tebibytes: tebibytes)
