// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
import Testing

@testable import Engine

/// The laws of execution on the model, under each fault.
@Suite struct ExecutorLawTests {
    static let kibi: UInt64 = 1024
    static let extentBytes = 64 * kibi

    /// Three files share an extent that shrinks; a fourth refers to its second half alone.
    static func compressible() -> ModelState {
        var state = ModelState()
        for number in UInt64(1)...4 { state.make(number) }
        state.write(Content.sectors(repeatElement(1007, count: 16)), to: 1, at: 0)
        state.clone(1, 0..<extentBytes, to: 2, at: 0)
        state.clone(1, 0..<extentBytes, to: 3, at: 4 * kibi)
        state.clone(1, (32 * kibi)..<extentBytes, to: 4, at: 0)
        return state
    }

    /// Equal content in two extents: one that three files share stays, one that two share goes.
    static func doubled() -> ModelState {
        var state = ModelState()
        for number in UInt64(1)...5 { state.make(number) }
        state.write(Content.sectors(0..<16), to: 1, at: 0)
        state.write(Content.sectors(0..<16), to: 2, at: 0)
        state.clone(1, 0..<extentBytes, to: 3, at: 0)
        state.clone(1, 0..<extentBytes, to: 4, at: 0)
        state.clone(2, 0..<extentBytes, to: 5, at: 0)
        return state
    }

    @Test func `All references of a compressed extent move, and its space comes back`() throws {
        let job = ModelJob(store: ModelStore(Self.compressible()))
        let laws = Laws(before: job)
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 1)
        #expect(outcome.referencesMoved == 4)
        #expect(outcome.freed.rawValue == Self.extentBytes)
        #expect(outcome.rewritten.rawValue == 4096)
        #expect(job.store.state.diskUse == 4096)
        #expect(job.store.state.extents.values.map(\.compression) == [.zstd])
    }

    @Test func `Of two equal extents one stays, and all references of the other follow`() throws {
        let job = ModelJob(store: ModelStore(Self.doubled()))
        let laws = Laws(before: job)
        let outcome = try job.dedupe()
        laws.check()
        #expect(outcome.extentsReplaced == 1)
        #expect(outcome.rewritten == .zero)
        #expect(job.store.state.diskUse == Self.extentBytes)
    }

    @Test(
        arguments: 1...4,
        [
            Errno.ioError, .noMemory, .noSpace, .invalidArgument, .textFileBusy, .permissionDenied,
            .notPermitted, .resourceTemporarilyUnavailable, .diskQuotaExceeded,
        ])
    func `A reference that cannot follow brings the others back`(
        failing: Int, reason: Errno
    ) throws {
        for isThrown in [true, false] {
            let job = ModelJob(store: ModelStore(Self.compressible()))
            var faults = ModelStore.Faults()
            let victim = ModelState.inode(UInt64(failing))
            faults.onShare = { _, request, _ in
                guard request.destination == victim else { return nil }
                return isThrown ? .refuse(reason) : .answer(.failed(reason))
            }
            job.store.set(faults)
            let laws = Laws(before: job)
            let outcome = try job.compress()
            laws.check()
            #expect(outcome.extentsReplaced == 0)
            #expect(outcome.leftAlone.tallies.map(\.key) == [LeftAloneReason(refusal: reason)])
            #expect(outcome.failures.map(\.reason) == [reason])
            #expect(job.store.state.diskUse == Self.extentBytes)
        }
    }

    @Test(arguments: 1...2) func `A doubled extent's reference that fails brings the others back`(
        failing: Int
    ) throws {
        let job = ModelJob(store: ModelStore(Self.doubled()))
        var faults = ModelStore.Faults()
        faults.onShare = { number, _, _ in number == failing ? .refuse(.noMemory) : nil }
        job.store.set(faults)
        let laws = Laws(before: job)
        let outcome = try job.dedupe()
        laws.check()
        #expect(outcome.extentsReplaced == 0)
        #expect(outcome.referencesMovedBack == failing - 1)
    }

    @Test(arguments: 1...4) func `A file that its qube writes to meanwhile keeps what was written`(
        writer: Int
    ) throws {
        for moment in 1...4 {
            let job = ModelJob(store: ModelStore(Self.compressible()))
            var faults = ModelStore.Faults()
            faults.onShare = { number, _, state in
                if number == moment {
                    state.write(Content.sector(5), to: UInt64(writer), at: 8192)
                }
                return nil
            }
            job.store.set(faults)
            let laws = Laws(before: job)
            try job.compress()
            laws.check("write before request \(moment)")
            #expect(job.store.state.writtenByOwners == Self.extentBytes + 4096)
        }
    }

    @Test(arguments: 1...4)
    func `A file that is overwritten whole meanwhile keeps what was written`(
        writer: Int
    ) throws {
        for moment in 1...4 {
            let job = ModelJob(store: ModelStore(Self.compressible()))
            var faults = ModelStore.Faults()
            faults.onShare = { number, _, state in
                if number == moment {
                    state.write(Content.sectors(10..<18), to: UInt64(writer), at: 0)
                }
                return nil
            }
            job.store.set(faults)
            let laws = Laws(before: job)
            try job.compress()
            laws.check("write before request \(moment)")
        }
    }

    @Test(arguments: 1...6) func `A reference that is cloned meanwhile follows in another round`(
        moment: Int
    ) throws {
        let job = ModelJob(store: ModelStore(Self.compressible()))
        var faults = ModelStore.Faults()
        faults.onUses = { number, state in
            // The first look resolves, the second settles: between them somebody clones.
            guard number == 2 else { return }
            state.make(9)
            state.clone(4, 0..<(32 * Self.kibi), to: 9, at: 0)
        }
        faults.onShare = { number, _, state in
            guard number == moment else { return nil }
            state.make(8)
            state.clone(3, (4 * Self.kibi)..<(68 * Self.kibi), to: 8, at: 0)
            return nil
        }
        job.store.set(faults)
        let laws = Laws(before: job)
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 1)
        #expect(job.store.state.diskUse == 4096)
    }
}
