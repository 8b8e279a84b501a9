// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import Protocol
import Testing

@testable import Worker

@Suite struct KeptDigestTests {
    private static let here = FileSystem.Identity(bytes: Array(0..<16))
    private static let elsewhere = FileSystem.Identity(bytes: Array(1..<17))

    private static func kept(
        _ number: UInt64 = 257, sizeBytes: UInt64 = 4096, modified: Int64 = 100,
        changed: Int64 = 200, digest: UInt8 = 7, name: UInt64 = 9
    ) -> KeptDigest {
        KeptDigest(
            identity: ImageIdentity(subvolume: 5, number: number, generation: 12),
            stamps: ImageStamps(
                sizeBytes: sizeBytes,
                modified: .init(seconds: modified, nanoseconds: 999_999_999),
                changed: .init(seconds: changed, nanoseconds: 1)),
            digest: [UInt8](repeating: digest, count: ContentDigest.lengthBytes), takenAt: 300,
            name: name)
    }

    private func table(_ bytes: [UInt8], most: Int = 4) -> DigestTable {
        DigestTable(decoding: bytes, of: Self.here, most: most)
    }

    /// As it would stand in the file.
    private func bytes(_ changes: [DigestTable.Change?]) -> [UInt8] {
        var bytes: [UInt8] = []
        for change in changes.compactMap(\.self) {
            let start = Int(change.offsetBytes)
            if bytes.count < start + change.line.count {
                bytes += [UInt8](repeating: 0, count: start + change.line.count - bytes.count)
            }
            bytes.replaceSubrange(start..<(start + change.line.count), with: change.line)
        }
        return bytes
    }

    // MARK: The digest

    private static func digest(_ body: (borrowing ContentDigest) -> Void) -> [UInt8]? {
        guard let sum = ContentDigest() else { return nil }
        body(sum)
        return sum.finish()
    }

    @Test func aDigestIsThatOfTheBytesHoweverTheyCome() throws {
        // FIPS 180-4, appendix of examples: "abc".
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        let digest = try #require(ContentDigest.of(Array("abc".utf8)))
        let text = digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
        #expect(text.joined() == known)
        let pieces = Self.digest { sum in
            for byte in Array("abc".utf8) {
                unsafe [byte].withUnsafeBytes { unsafe sum.take($0) }
            }
        }
        #expect(pieces == digest)
    }

    @Test func aHoleIsTheZeroesThatItReadsAs() {
        let length = 256 * 1024 * 3 + 5
        let holes = Self.digest { sum in
            sum.takeZeroes(0)
            sum.takeZeroes(UInt64(length))
        }
        #expect(holes == ContentDigest.of([UInt8](repeating: 0, count: length)))
    }

    // MARK: A line

    @Test func aLineComesBackAsItWas() {
        let kept = Self.kept(.max, sizeBytes: .max, modified: .min, changed: .max)
        let line = kept.line(for: Self.here)
        #expect(line.count == KeptDigest.lineBytes && line.last == UInt8(ascii: "\n"))
        #expect(line.prefix(64).elementsEqual(String(repeating: "07", count: 32).utf8))
        #expect(KeptDigest(line: line[...], of: Self.here) == kept)
    }

    @Test func aLineOfAnotherFileSystemIsNone() {
        let line = Self.kept().line(for: Self.elsewhere)
        #expect(KeptDigest(line: line[...], of: Self.here) == nil)
    }

    @Test func noByteOfALineCanChangeUnseen() {
        let line = Self.kept().line(for: Self.here)
        for place in line.indices {
            for bit in 0..<8 {
                var bad = line
                bad[place] ^= 1 << bit
                #expect(KeptDigest(line: bad[...], of: Self.here) == nil, "byte \(place)")
            }
        }
        for length in 0..<line.count {
            #expect(KeptDigest(line: line[..<length], of: Self.here) == nil)
        }
    }

    // MARK: The table

    @Test func whatIsKeptComesBack() {
        var first = table([])
        let changes = [first.keep(Self.kept(257)), first.keep(Self.kept(258, digest: 8))]
        let second = table(bytes(changes))
        #expect(second.kept(Self.kept(257).identity) == Self.kept(257))
        #expect(second.kept(Self.kept(258).identity) == Self.kept(258, digest: 8))
        #expect(second.knows(name: 9) && !second.knows(name: 10))
        #expect(second.damaged.isEmpty)
    }

    @Test func aFileHasOneLine() {
        var table = table([])
        let first = table.keep(Self.kept(digest: 1))
        let second = table.keep(Self.kept(digest: 2))
        #expect(first?.offsetBytes == second?.offsetBytes)
        #expect(table.kept(Self.kept().identity)?.digest.first == 2)
    }

    @Test func aDamagedLineCostsItselfAndNoOther() {
        var whole = table([])
        let changes = (0..<3).map { whole.keep(Self.kept(257 + $0)) }
        var bytes = bytes(changes)
        bytes[KeptDigest.lineBytes + 3] ^= 1
        let read = table(bytes)
        #expect(read.damaged.map(\.offsetBytes) == [UInt64(KeptDigest.lineBytes)])
        #expect(read.kept(Self.kept(257).identity) != nil)
        #expect(read.kept(Self.kept(258).identity) == nil)
        #expect(read.kept(Self.kept(259).identity) != nil)
        // Blanked, it is said no more, and its place is for the next.
        var mended = table(self.bytes(changes + read.damaged))
        #expect(mended.damaged.isEmpty)
        #expect(mended.keep(Self.kept(300))?.offsetBytes == UInt64(KeptDigest.lineBytes))
    }

    @Test func aFileThatWasCutKeepsWhatIsWhole() {
        var whole = table([])
        let bytes = bytes((0..<3).map { whole.keep(Self.kept(257 + $0)) })
        let cut = table(Array(bytes.dropLast(10)))
        #expect(cut.damaged.count == 1 && cut.identities.count == 2)
    }

    @Test func whateverStandsThereIsReadAndBounded() {
        var generator = SystemRandomNumberGenerator()
        for length in [0, 1, 255, 256, 257, 4096] {
            let noise = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(table(noise).identities.isEmpty)
        }
        let long = [UInt8](repeating: 1, count: KeptDigest.lineBytes * 9)
        #expect(table(long).damaged.count == 4)
    }

    @Test func thereIsAnEndToWhatIsKept() {
        var table = table([])
        for number in 0..<4 { #expect(table.keep(Self.kept(UInt64(number))) != nil) }
        #expect(table.keep(Self.kept(99)) == nil)
        #expect(table.keep(Self.kept(2, digest: 3)) != nil, "what has a line keeps it")
        #expect(table.forget(Self.kept(1).identity)?.offsetBytes == UInt64(KeptDigest.lineBytes))
        #expect(table.keep(Self.kept(99))?.offsetBytes == UInt64(KeptDigest.lineBytes))
    }

    // MARK: Verdicts

    private func verdict(
        _ kept: KeptDigest?, _ now: KeptDigest, isNameKnown: Bool = false
    ) -> Verification.Verdict {
        KeptDigest.verdict(kept, isNameKnown: isNameKnown, now: now.stamps, digest: now.digest)
    }

    @Test func ofWhatNothingIsKeptIsNewUnlessItsNameWasAnothers() {
        #expect(verdict(nil, Self.kept()) == .new)
        #expect(verdict(nil, Self.kept(), isNameKnown: true) == .written)
    }

    @Test func theSameBytesAreEqualWhoeverHasTouchedThem() {
        #expect(verdict(Self.kept(), Self.kept()) == .equal)
        #expect(verdict(Self.kept(), Self.kept(modified: 500, changed: 500)) == .equal)
    }

    @Test func otherBytesAreDifferentUnlessSomebodyWrote() {
        #expect(verdict(Self.kept(), Self.kept(digest: 8)) == .different)
        // A name is no write: the image of a qube that stops becomes a revision.
        #expect(verdict(Self.kept(), Self.kept(changed: 500, digest: 8)) == .different)
        #expect(verdict(Self.kept(), Self.kept(modified: 500, digest: 8)) == .written)
        #expect(verdict(Self.kept(), Self.kept(sizeBytes: 8192, digest: 8)) == .written)
    }
}
