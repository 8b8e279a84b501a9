// SPDX-License-Identifier: GPL-2.0-or-later

/// Calls as an attacker would make them: right ones, and what becomes of them with a few changes.
/// The same on every run.
struct HostileCalls {
    /// How the attacker behaves once it has sent.
    enum Manner: CaseIterable {
        /// Ends its input and reads to the end.
        case waits
        /// Goes away at once.
        case hangsUp
        /// Ends its input and goes away without reading.
        case doesNotRead
    }

    private var generator: Content

    init(seed: UInt64) { generator = Content(seed: seed) }

    private static let right: [[UInt8]] = [
        "btrfs.Report+private mgmt name work\0", "btrfs.Report+ mgmt keyword adminvm\0{}",
        "btrfs.Report+pool.varlibqubes mgmt name dom0\0{\"version\":1}",
        "btrfs.Compress+root mgmt name work\0{\"version\":1,\"level\":9,\"running\":true}",
        "btrfs.Sparsify+system mgmt name dom0\0", "btrfs.Sparsify+ mgmt name work\0",
        "btrfs.Dedupe+ mgmt name vault\0{\"version\":1}",
        "btrfs.Compress+ mgmt name uuid:6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c1\0",
        "btrfs.job.List+ mgmt keyword adminvm\0", "btrfs.job.List+ dom0 name dom0\0{\"version\":1}",
        "btrfs.job.Watch+0123456789abcdef0123 mgmt name dom0\0",
        "btrfs.job.Hold+ mgmt name vault\0", "btrfs.job.Hold+ mgmt name dom0\0",
        "btrfs.Dedupe+ mgmt keyword default\0", "btrfs.Report+../../etc mgmt name work\0",
        "btrfs.Report+--help mgmt name work\0",
    ].map { Array($0.utf8) }

    private static let words: [[UInt8]] = [
        "\0", "\0\0", "name", "keyword", "dom0", "adminvm", "@adminvm", "uuid:", "..", "/", "%s",
        "\u{1b}[2J", "\n", "{\"version\":1", "[[[[", "null", "1e999", "-", "+",
    ].map { Array($0.utf8) }

    private mutating func below(_ limit: Int) -> Int { Int(generator.next() >> 33) % limit }

    /// The next call, and how it goes on.
    mutating func next() -> (bytes: [UInt8], manner: Manner) {
        // Some twentieth is noise alone, some twentieth right, and the others changed.
        let kind = below(20)
        var bytes = Self.right[below(Self.right.count)]
        if kind == 0 {
            bytes = (0..<below(3000)).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 40) }
        } else if kind > 1 {
            for _ in 0...below(4) { change(&bytes) }
        }
        let manner = below(16)
        return (bytes, manner == 0 ? .hangsUp : manner == 1 ? .doesNotRead : .waits)
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let place = below(bytes.count)
        switch below(6) {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next() >> 40)
        case 1: bytes.insert(contentsOf: Self.words[below(Self.words.count)], at: place)
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(8)))
        case 3: bytes += bytes[place...]
        case 4: bytes.insert(contentsOf: Self.right[below(Self.right.count)], at: place)
        default: bytes += [UInt8](repeating: bytes[place], count: below(2000))
        }
    }
}
