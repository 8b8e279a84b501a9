// SPDX-License-Identifier: GPL-2.0-or-later
//
// bench-scale TEBIBYTES: feeds the matcher made-up checksums of so many tebibytes, and tells how
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

func seconds(since start: ContinuousClock.Instant) -> Double {
    let elapsed = (ContinuousClock.now - start).components
    return Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
}

func oneDecimal(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

/// Matches, and counts the sectors found and the planted runs found whole.
func run(tebibytes: Int) throws {
    let sums = SyntheticSums(tebibytes: tebibytes)
    var resources = MatchResources()
    let directory = SharedDescriptor(
        try Descriptor.open(FilePath("/var/tmp"), [.readOnly, .directory]))
    resources.spills = [try Spill(in: directory), try Spill(in: directory)]
    let members = (0..<sums.extentCount).lazy.map { index in
        let start = index * SyntheticSums.extentSectors
        return MatchMember(
            sectors: start..<(start + SyntheticSums.extentSectors), rank: 1, salt: 0, salts: [0])
    }
    let start = ContinuousClock.now
    var matcher = try Matcher(members, in: sums, resources: resources)
    let sorted = seconds(since: start)
    var planted = 0
    var found = 0
    for member in members {
        let runs = try matcher.runs(of: member)
        let firstCell = member.sectors.lowerBound / SyntheticSums.cellSectors
        for cell in firstCell..<(firstCell + 12) {
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
    let total = seconds(since: start)
    let share = 100 * Double(found) / Double(max(planted, 1))
    print(
        """
        \(tebibytes) TiB of content, \(sums.sectorCount) sectors, \(matcher.anchorCount) anchors
          time                \(oneDecimal(total)) s (anchors and sorts \(oneDecimal(sorted)) s)
          peak memory         \(peakMemoryBytes() >> 20) MiB
          runs planted        \(planted), of 64 KiB to 2 MiB
          runs found whole    \(found) (\((share * 1000).rounded() / 1000) %)
        """)
}

if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "report",
    let millions = Int(CommandLine.arguments[2]), (1...100).contains(millions)
{
    try ReportScale.run(millions: millions)
    exit(0)
}
guard CommandLine.arguments.count == 2, let tebibytes = Int(CommandLine.arguments[1]),
    (1...64).contains(tebibytes)
else {
    print("usage: bench-scale TEBIBYTES (1 to 64), or bench-scale report MILLIONS (1 to 100)")
    exit(2)
}
try run(tebibytes: tebibytes)
