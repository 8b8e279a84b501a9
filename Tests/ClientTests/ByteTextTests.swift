// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Client

@Suite struct ByteTextTests {
    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (10_229, "9.99 KiB"),
        (10_235, "10.0 KiB"), (102_348, "99.9 KiB"), (102_349, "100 KiB"),
        (1_048_063, "1023 KiB"), (1_048_064, "1.00 MiB"), (1_320_702_444, "1.23 GiB"),
        (16 << 40, "16.0 TiB"), (UInt64.max, "16.0 EiB"),
    ])
    func aSizeHasThreeDigitsAndABinaryUnit(bytes: UInt64, text: String) {
        #expect(ByteText.size(bytes) == text)
    }

    @Test func noSizeIsWiderThanItsColumn() {
        for shift in 0..<64 {
            let power = UInt64(1) << shift
            for bytes in [power - 1, power, power &* 1023] {
                #expect(ByteText.size(bytes).count <= ByteText.width)
            }
        }
    }

    @Test func aChangeHasItsSign() {
        #expect(ByteText.change(0) == "0 B")
        #expect(ByteText.change(512) == "+512 B")
        #expect(ByteText.change(-2048) == "-2.00 KiB")
        #expect(ByteText.change(.min) == "-8.00 EiB")
        #expect(ByteText.change(from: 3 << 30, to: 1 << 30) == "-2.00 GiB")
        #expect(ByteText.change(from: 0, to: .max) == "+8.00 EiB")
    }

    @Test(arguments: [
        (nil, "-"), (0, "0.00"), (1.5, "1.50"), (12.34, "12.3"), (999.4, "999"), (1000, ">999"),
        (Double.infinity, ">999"),
    ])
    func aRatioFitsItsColumn(value: Double?, text: String) {
        #expect(ByteText.ratio(value) == text)
        #expect(text.count <= ByteText.ratioWidth)
    }

    @Test(arguments: [
        (-1, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (192, "3 min 12 s"), (7320, "2 h 2 min"),
        (100_000, "1 d 3 h"), (Double.infinity, "11574 d 1 h"),
    ])
    func aDurationHasItsTwoLargestUnits(seconds: Double, text: String) {
        #expect(ByteText.duration(seconds: seconds) == text)
    }

    @Test func aPerCentIsNeverRoundedUpToWhole() {
        #expect(ByteText.percent(999, of: 1000) == "99 %")
        #expect(ByteText.percent(1000, of: 1000) == "100 %")
        #expect(ByteText.percent(1, of: 0) == "")
        #expect(ByteText.percent(.max, of: 1) == "999 %")
    }

    @Test func aCountHasItsDigitsInGroups() {
        #expect(ByteText.count(0) == "0")
        #expect(ByteText.count(999) == "999")
        #expect(ByteText.count(1_234_567) == "1 234 567")
        #expect(ByteText.count(.max) == "18 446 744 073 709 551 615")
    }
}
