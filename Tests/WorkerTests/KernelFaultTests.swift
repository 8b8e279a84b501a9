// SPDX-License-Identifier: GPL-2.0-or-later
import Engine
import Protocol
import SystemPackage
import Testing

@testable import Btrfs
@testable import Worker

@Suite struct KernelFaultTests {
    private func faults(_ release: String) throws -> [String] {
        let version = try #require(KernelVersion(release: release))
        return CheckRules.kernel(release, version).filter { $0.topic == "kernel.fault" }
            .map { $0.reason?.filter(\.isHexDigit) ?? "" }
    }

    @Test func aReleaseThatHasItMendedHasNoFault() throws {
        #expect(try faults("6.11.9-1.qubes.fc41").count == 1)
        #expect(try faults("6.11.10-1.qubes.fc41").isEmpty)
        #expect(try faults("6.10.99-1.qubes.fc41").count == 1)
        #expect(try faults("6.9.0").isEmpty && faults("6.12.0-1").isEmpty)
        // Without a third number it is the first.
        #expect(try faults("6.11-rc3").count == 1)
    }

    @Test func oneReleaseMayHaveSeveral() throws {
        #expect(try faults("5.18.2").count == 3)
        #expect(try faults("5.18.17").count == 2)
        #expect(try faults("5.18.18").count == 1)
        #expect(try faults("5.19.6").isEmpty)
    }
}

/// Whether what qubes write past the page cache is compressed is seen by what they have written.
@Suite struct WrittenDirectlyTests {
    private func written(packedMiB: UInt64, plainMiB: UInt64, oldMiB: UInt64) -> WrittenDirectly {
        var written = WrittenDirectly()
        func add(_ mebibytes: UInt64, _ compression: Compression, generation: UInt64) {
            let length = ByteCount.mebibytes(mebibytes)
            let extent = FileExtent(
                fileOffset: .start, lengthBytes: length, contentBytes: length,
                compression: compression, generation: Generation(generation),
                storage: .regular(
                    .init(
                        address: LogicalAddress(1 << 20), diskBytes: length, offsetInExtent: .zero))
            )
            written.add(extent, since: Generation(7))
        }
        add(packedMiB, .zstd, generation: 8)
        add(plainMiB, .none, generation: 9)
        add(oldMiB, .zstd, generation: 7)
        return written
    }

    private func finding(
        _ written: WrittenDirectly?, isDirect: Bool = true, isCompressing: Bool = true
    ) -> CheckReport.Finding? {
        let loop = LoopDevice(name: "loop3", backingFile: "/pool/a.img", isDirect: isDirect)
        return CheckRules.loops(
            [loop], written: written, isCompressing: isCompressing, "pool main"
        ).first
    }

    @Test func nothingCompressedOfMuchIsAWarningWithItsFigures() throws {
        let found = try #require(finding(written(packedMiB: 0, plainMiB: 40, oldMiB: 900)))
        #expect(found.level == .warning)
        #expect(
            found.message == "1 of 1 loop devices write past the page cache: 0 of 40 MiB of what"
                + " qubes wrote so is compressed")
        // Where nothing is to be compressed, and of too little, there is nothing to be seen.
        let little = written(packedMiB: 0, plainMiB: 15, oldMiB: 900)
        #expect(finding(little)?.level == .note)
        let plain = written(packedMiB: 0, plainMiB: 40, oldMiB: 0)
        #expect(finding(plain, isCompressing: false)?.level == .note)
    }

    @Test func whatIsCompressedIsSaidWhateverTheKernel() {
        let found = finding(written(packedMiB: 3, plainMiB: 40, oldMiB: 0))
        #expect(found?.level == .good)
        #expect(found?.message.contains("3 of 43 MiB is compressed") == true)
    }

    @Test func newKernelsAndOtherLoopsAreWell() {
        let plain = written(packedMiB: 0, plainMiB: 40, oldMiB: 0)
        #expect(CheckRules.mayWritePastCache(KernelVersion(6, 14, 99)))
        #expect(!CheckRules.mayWritePastCache(KernelVersion(6, 15)))
        #expect(finding(nil)?.level == .good)
        #expect(finding(plain, isDirect: false)?.level == .good)
    }
}

@Suite struct DeviceDiscardTests {
    private func finding(
        _ passes: Bool?, isRotational: Bool = false, _ option: String = "discard=async"
    ) -> CheckReport.Finding? {
        LayoutRules.discards(
            [
                BlockDevice(name: "sda", passesDiscards: true, isRotational: false),
                BlockDevice(name: "dm-0", passesDiscards: passes, isRotational: isRotational),
            ], ["rw", option], "pool main"
        ).first
    }

    @Test func aDeviceThatTakesNoneIsNamedWhereTheyAreWanted() throws {
        let found = try #require(finding(false))
        #expect(found.level == .note && found.message.contains("dm-0 takes none"))
        #expect(finding(true) == nil && finding(nil) == nil)
        #expect(finding(false, isRotational: true) == nil)
        #expect(finding(false, "nodiscard") == nil)
    }
}
