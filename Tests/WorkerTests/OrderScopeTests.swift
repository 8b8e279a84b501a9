// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Worker

@Suite("What an order's survey shows")
struct OrderScopeTests {
    @Test(
        "Only a survey of the machine with dom0's own files shows all",
        arguments: [(true, true), (true, false), (false, true), (false, false)])
    func allFiles(isWholeMachine: Bool, hasSystem: Bool) {
        let order = WorkerOrder(
            work: .compress(level: nil, running: false), pools: [], volumes: [],
            wholeMachine: isWholeMachine, systemDirectories: hasSystem ? ["/usr"] : nil)
        #expect(order.isOfAllFiles == (isWholeMachine && hasSystem))
    }
}
