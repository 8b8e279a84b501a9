// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Testing

@testable import Worker

/// An order of a daemon of another release.
@Suite struct OrderFormTests {
    private func json(_ order: WorkerOrder) throws -> String {
        String(decoding: try JSONEncoder().encode(order), as: UTF8.self)
    }

    private func refusal(_ json: String) -> Failure? {
        do throws(Failure) {
            _ = try WorkerProgram.order(Array(json.utf8))
            return nil
        } catch {
            return error
        }
    }

    private let order = WorkerOrder(work: .report, pools: [], volumes: [], wholeMachine: true)

    @Test func anOrderOfThisFormIsTaken() throws {
        #expect(try refusal(json(order)) == nil)
    }

    @Test(arguments: [-1, 1])
    func anOrderOfAnotherFormIsRefusedInWords(difference: Int) throws {
        var order = order
        order.form += difference
        let refusal = refusal(try json(order))
        #expect(refusal?.message.contains("different releases") == true)
        #expect(refusal?.message.contains("systemctl restart qubes-btrfsd") == true)
    }

    @Test func anOrderThatKnowsNoFormsIsRefusedToo() {
        #expect(
            refusal(#"{"version":1,"work":{"report":{}}}"#)?.message.contains("releases") == true)
        #expect(refusal(#"{"form":3,"work":"anything"}"#)?.message.contains("releases") == true)
        #expect(refusal("nonsense")?.message.contains("no order") == true)
    }
}
