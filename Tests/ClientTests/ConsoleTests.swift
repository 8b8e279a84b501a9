// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Client

@Suite struct ConsoleTests {
    @Test func coloursAreForTerminalsAlone() throws {
        let (plain, coloured) = (Capture(), Capture())
        let line = Line("Total", .heading)
        try plain.console().data([line])
        try coloured.console(colours: true).data([line])
        #expect(plain.output == "Total\n")
        #expect(coloured.output == "\u{1b}[1mTotal\u{1b}[0m\n")
    }

    @Test func aColouredTextIsSanitisedToo() throws {
        let capture = Capture()
        try capture.console(colours: true).data([Line("a\u{1b}[0mb", .warning)])
        #expect(capture.output == "\u{1b}[33ma\\u{1b}[0mb\u{1b}[0m\n")
    }

    @Test func longTextIsWrappedAtSpacesAndLongWordsAtTheEdge() {
        #expect(
            Line.wrapped("one two three", after: "  ", indent: 4, columns: 9).texts
                == ["  one two", "    three"])
        #expect(
            Line.wrapped("abcdefghijk", indent: 1, columns: 4).texts == [
                "abcd", " efg", " hij", " k",
            ])
        #expect(Line.wrapped("", indent: 1, columns: 4).texts == [""])
    }

    @Test func aShortenedTextEndsInAnEllipsis() {
        #expect("abc".shortened(to: 3) == "abc")
        #expect("abcd".shortened(to: 3) == "ab…")
        #expect("abcd".shortened(to: 1) == "…")
        #expect("abcd".shortened(to: 0) == "")
    }
}
