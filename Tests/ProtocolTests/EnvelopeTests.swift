// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@Suite struct EnvelopeTests {
    private static let event = Envelope.event(
        subject: "3fa9", name: "job-progress",
        fields: [.init(key: "json", value: "{\"a\":1}"), .init(key: "empty", value: "")])

    @Test func aReplyIsReadAsItWasWritten() throws {
        let reply = Envelope.reply(Array("{}\0\u{1}".utf8))
        var reader = EnvelopeReader()
        reader.append(reply.encoded())
        #expect(try reader.last() == reply)
    }

    @Test func anEmptyReplyIsAReply() throws {
        var reader = EnvelopeReader()
        reader.append(Envelope.reply([]).encoded())
        #expect(try reader.last() == .reply([]))
    }

    @Test func theWrittenFormsAreTheAdminAPIs() {
        #expect(Envelope.reply(Array("x".utf8)).encoded() == Array("0\0x".utf8))
        #expect(
            Self.event.encoded()
                == Array("1\u{0}3fa9\u{0}job-progress\u{0}json\u{0}{\"a\":1}\u{0}empty\0\0\0".utf8))
        #expect(
            Envelope.exception(ServiceException(.noSuchQube, "no 'x'")).encoded()
                == Array("2\0QubesVMNotFoundError\0\0no 'x'\0".utf8))
    }

    @Test(arguments: ServiceException.Kind.allCases)
    func everyExceptionIsReadAsItWasWritten(kind: ServiceException.Kind) throws {
        let exception = Envelope.exception(ServiceException(kind, "what, and what to do"))
        var reader = EnvelopeReader()
        reader.append(exception.encoded())
        #expect(try reader.last() == exception)
    }

    @Test func anExceptionOfAnUnknownKindIsAFailure() throws {
        var reader = EnvelopeReader()
        reader.append(Array("2\0QubesNewError\0\0sorry\0".utf8))
        #expect(try reader.last() == .exception(ServiceException(.failed, "sorry")))
    }

    @Test func aNULInAStringIsDropped() throws {
        var reader = EnvelopeReader()
        reader.append(
            Envelope.event(
                subject: "a\0b", name: "n\0", fields: [.init(key: "\0k", value: "v\0\0w")]
            ).encoded())
        #expect(
            try reader.nextEvent()
                == .event(subject: "ab", name: "n", fields: [.init(key: "k", value: "vw")]))
        #expect(reader.pendingBytes == 0)
    }

    @Test func aNULInAnExceptionIsDropped() throws {
        let bytes = Envelope.exception(ServiceException(.failed, "a\0b")).encoded()
        #expect(bytes == Array("2\0BtrfsError\0\0ab\0".utf8))
    }

    @Test(arguments: ["100 %", "%s", "%%", "%", "%\u{301} combined", "a%b%%c%%%"])
    func aPerCentSignIsDoubledOnTheWireAndSingleAgainAfterwards(message: String) throws {
        let exception = Envelope.exception(ServiceException(.failed, message))
        let bytes = exception.encoded()
        let sign = UInt8(ascii: "%")
        #expect(bytes.count { $0 == sign } == 2 * message.utf8.count { $0 == sign })
        var reader = EnvelopeReader()
        reader.append(bytes)
        #expect(try reader.last() == exception)
    }

    @Test func aPerCentSignThatStandsAloneStays() throws {
        var reader = EnvelopeReader()
        reader.append(Array("2\0BtrfsError\0\0100% of %s%\0".utf8))
        #expect(try reader.last() == .exception(ServiceException(.failed, "100% of %s%")))
    }

    @Test func eventsThenAReplyAreReadWhereverTheBytesAreSplit() throws {
        let last = Envelope.reply(Array("{\"b\":2}".utf8))
        let bytes = Self.event.encoded() + Self.event.encoded() + last.encoded()
        for position in 0...bytes.count {
            var reader = EnvelopeReader()
            var events: [Envelope] = []
            for piece in [bytes[..<position], bytes[position...]] {
                reader.append(piece)
                while let event = try reader.nextEvent() { events.append(event) }
            }
            #expect(events == [Self.event, Self.event])
            #expect(try reader.last() == last)
        }
    }

    @Test func anExceptionIsReadByteByByte() throws {
        let exception = Envelope.exception(ServiceException(.busy, "later"))
        var reader = EnvelopeReader()
        for byte in exception.encoded() {
            reader.append([byte])
            #expect(try reader.nextEvent() == nil)
        }
        #expect(try reader.last() == exception)
    }

    @Test func aStreamThatEndsAtOnceIsEmpty() {
        #expect(throws: EnvelopeError.empty) { try EnvelopeReader().last() }
    }

    @Test(arguments: [
        "0", "x", "3\0", "garbage", "1\0subject\0name\0", "2\0", "2\0Kind\0", "2\0K\0t",
    ])
    func aStreamThatEndsWithinAnEnvelopeIsMalformed(text: String) {
        var reader = EnvelopeReader()
        reader.append(text.utf8)
        #expect(throws: EnvelopeError.malformed) {
            while try reader.nextEvent() != nil {}
            return try reader.last()
        }
    }

    /// An event of exactly so many bytes.
    private func event(lengthBytes: Int) -> [UInt8] {
        let frame = Envelope.event(
            subject: "", name: "n", fields: [.init(key: "k", value: "")]
        ).encoded().count
        let value = String(repeating: "v", count: lengthBytes - frame)
        return Envelope.event(subject: "", name: "n", fields: [.init(key: "k", value: value)])
            .encoded()
    }

    @Test func anEventOfTheLimitIsRead() throws {
        var reader = EnvelopeReader()
        reader.append(event(lengthBytes: Limits.eventBytes))
        #expect(try reader.nextEvent() != nil)
        #expect(reader.pendingBytes == 0)
    }

    @Test func anEventOverTheLimitIsRefusedThoughItCameWhole() {
        var reader = EnvelopeReader()
        reader.append(event(lengthBytes: Limits.eventBytes + 1))
        #expect(throws: EnvelopeError.tooLong) { try reader.nextEvent() }
    }

    @Test func anEventThatNeverEndsIsRefusedAtTheLimit() throws {
        var reader = EnvelopeReader()
        let endless = event(lengthBytes: Limits.eventBytes + 2).dropLast(2)
        reader.append(endless)
        #expect(try reader.nextEvent() == nil)
        reader.append([UInt8(ascii: "v")])
        #expect(throws: EnvelopeError.tooLong) { try reader.nextEvent() }
    }

    @Test func bytesThatAreNoUTF8BecomeReplacementCharacters() throws {
        var reader = EnvelopeReader()
        reader.append([0x31, 0, 0xff, 0, 0x6e, 0, 0])
        #expect(try reader.nextEvent() == .event(subject: "\u{fffd}", name: "n", fields: []))
    }
}
