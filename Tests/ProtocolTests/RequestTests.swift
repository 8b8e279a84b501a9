// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Testing

@Suite struct RequestTests {
    private func decode<Request: Decodable>(_ type: Request.Type, _ json: String) throws -> Request
    {
        try JSONDecoder().decode(type, from: Data(json.utf8))
    }

    @Test(arguments: [-15, -1, CompressRequest.plainLevel, 1, 19])
    func theFirstAndTheLastLevelAreTaken(level: Int) throws {
        let request = try decode(CompressRequest.self, "{\"version\":1,\"level\":\(level)}")
        #expect(request == CompressRequest(level: level))
    }

    @Test(arguments: [20, -16, Int.max, Int.min])
    func aLevelOutsideTheRangeIsRefused(level: Int) {
        #expect(throws: RequestError.outOfRange(key: "level", allowed: "-15 to 19")) {
            try decode(CompressRequest.self, "{\"version\":1,\"level\":\(level)}")
        }
    }

    @Test func whatIsNotSaidHasItsDefault() throws {
        #expect(try decode(CompressRequest.self, "{\"version\":1}") == CompressRequest())
        #expect(try decode(DedupeRequest.self, "{\"version\":1}") == DedupeRequest())
    }

    @Test func anUnknownKeyIsRefusedInEveryRequest() {
        let json = "{\"version\":1,\"force\":true}"
        #expect(throws: RequestError.unknownKey(known: ["version"])) {
            try decode(PlainRequest.self, json)
        }
        let known = [
            "version", "level", "running", "battery", "riskReadOnly", "exclude", "forSeconds",
            "waitCounts",
        ]
        #expect(throws: RequestError.unknownKey(known: known)) {
            try decode(CompressRequest.self, json)
        }
        let fewer = known.filter { $0 != "level" }
        #expect(throws: RequestError.unknownKey(known: fewer)) {
            try decode(DedupeRequest.self, json)
        }
    }

    @Test(arguments: [
        "{}", "{\"version\":0}", "{\"version\":2}", "{\"version\":\"1\"}", "{\"version\":null}",
        "{\"version\":1.5}", "[]", "1", "", "{", "{\"version\":1}}",
    ])
    func anotherVersionOrAnotherShapeIsRefused(json: String) {
        #expect(throws: DecodingError.self) { try decode(PlainRequest.self, json) }
        #expect(throws: DecodingError.self) { try decode(CompressRequest.self, json) }
        #expect(throws: DecodingError.self) { try decode(DedupeRequest.self, json) }
    }

    @Test(arguments: [
        "{\"version\":1,\"level\":\"3\"}", "{\"version\":1,\"level\":3.5}",
        "{\"version\":1,\"level\":true}", "{\"version\":1,\"level\":99999999999999999999}",
        "{\"version\":1,\"battery\":1}", "{\"version\":1,\"running\":1}",
        "{\"version\":1,\"running\":\"yes\"}", "{\"version\":1,\"riskReadOnly\":1}",
    ])
    func aValueOfTheWrongTypeIsRefused(json: String) {
        #expect(throws: DecodingError.self) { try decode(CompressRequest.self, json) }
    }

    @Test(arguments: [TimeLimit.seconds.lowerBound, 7200, TimeLimit.seconds.upperBound])
    func theShortestAndTheLongestTimeAreTaken(seconds: Int) throws {
        let json = "{\"version\":1,\"forSeconds\":\(seconds)}"
        let limit = TimeLimit(forSeconds: seconds)
        #expect(try decode(CompressRequest.self, json) == CompressRequest(time: limit))
        #expect(try decode(DedupeRequest.self, json) == DedupeRequest(time: limit))
    }

    @Test(arguments: [0, -1, TimeLimit.seconds.upperBound + 1, Int.max, Int.min])
    func aTimeOutsideTheRangeIsRefused(seconds: Int) {
        let refusal = RequestError.outOfRange(key: "forSeconds", allowed: "1 to 604800")
        let json = "{\"version\":1,\"forSeconds\":\(seconds)}"
        #expect(throws: refusal) { try decode(CompressRequest.self, json) }
        #expect(throws: refusal) { try decode(DedupeRequest.self, json) }
    }

    @Test func aWaitThatCountsWithoutATimeIsRefused() {
        let refusal = RequestError.outOfRange(key: "waitCounts", allowed: "only beside forSeconds")
        #expect(throws: refusal) {
            try decode(DedupeRequest.self, #"{"version":1,"waitCounts":true}"#)
        }
    }

    @Test(arguments: [
        #"{"version":1,"forSeconds":"2h"}"#, #"{"version":1,"forSeconds":1.5}"#,
        #"{"version":1,"forSeconds":true}"#, #"{"version":1,"forSeconds":60,"waitCounts":1}"#,
    ])
    func aTimeOfTheWrongTypeIsRefused(json: String) {
        #expect(throws: DecodingError.self) { try decode(CompressRequest.self, json) }
        #expect(throws: DecodingError.self) { try decode(DedupeRequest.self, json) }
    }

    @Test func anEstimateTakesNoTime() {
        #expect(throws: RequestError.self) {
            try decode(EstimateRequest.self, #"{"version":1,"forSeconds":60}"#)
        }
    }

    @Test func theRequestOfAnEmptyPayloadIsTheOneWithoutOptions() {
        #expect(PlainRequest().version == .current)
        #expect(CompressRequest() == CompressRequest(level: nil, running: false, battery: false))
        #expect(DedupeRequest() == DedupeRequest(running: false, battery: false))
    }

    @Test func aFullRequestIsFarBelowThePayloadsLimit() throws {
        let payload = try JSONEncoder().encode(CompressRequest(level: 19, running: true))
        #expect(payload.count < Limits.payloadBytes)
    }
}
