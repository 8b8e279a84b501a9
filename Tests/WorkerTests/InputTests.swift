// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

@Suite struct InputTests {
    /// The input with these bytes, and the end to write more to.
    private func input(_ text: String) throws -> (Input, SharedDescriptor) {
        var input: Input?
        var writing: SharedDescriptor?
        try Descriptor.pipe().split { reading, end in
            input = Input(reading)
            writing = SharedDescriptor(end)
        }
        let end = try #require(writing)
        try end.descriptor.write(Array(text.utf8))
        return (try #require(input), end)
    }

    private func words(_ input: Input) throws -> Monitor<[WorkerControl]> {
        let words = Monitor<[WorkerControl]>([])
        try input.follow { word in words.withLock { $0.append(word) } }
        return words
    }

    @Test func theOrderIsALineAndWordsFollow() throws {
        let (input, end) = try input("{order}\npause\nres")
        #expect(try input.order() == Array("{order}".utf8))
        let words = try words(input)
        #expect(words.wait(timeoutSeconds: 60) { $0 == [.pause] ? true : nil } == true)
        try end.descriptor.write(Array("ume\nnonsense\ncancel\n".utf8))
        let all: [WorkerControl] = [.pause, .resume, .cancel]
        #expect(words.wait(timeoutSeconds: 60) { $0 == all ? true : nil } == true)
    }

    @Test func anOrderMayEndWithTheInput() throws {
        let reading: Input
        do {
            let (input, _) = try input("{order}")
            reading = input
        }
        #expect(try reading.order() == Array("{order}".utf8))
        #expect(try reading.order() == [])
    }

    @Test func anOrderAtItsLimitIsReadAndOneByteMoreIsNot() throws {
        for (count, isRead) in [(Limits.orderBytes, true), (Limits.orderBytes + 1, false)] {
            let (input, end) = try input("")
            try WorkThread.start {
                try? end.descriptor.write(
                    [UInt8](repeating: UInt8(ascii: "x"), count: count) + [UInt8(ascii: "\n")])
            }
            #expect(try input.order()?.count == (isRead ? count : nil))
        }
    }
}
