// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Worker

@Suite struct MadeReadOnlyTests {
    @Test func `It says who did it, what it means, and what the devices have counted`() {
        let text = Failure.madeReadOnly(
            pools: "varlibqubes",
            [
                DeviceErrors(
                    identifier: 1, path: "/dev/sda", writes: 3, reads: 0, flushes: 1,
                    corruptions: 0),
                DeviceErrors(
                    identifier: 7, path: "", writes: 0, reads: 2, flushes: 0, corruptions: 5),
            ])
        #expect(text.contains("the kernel has made the file system of pool varlibqubes read-only"))
        #expect(text.contains("/dev/sda has counted: 3 write errors, 1 flush error"))
        #expect(text.contains("device 7 has counted: 2 read errors"))
        #expect(text.contains("btrfs device stats"))
    }

    @Test func `Without an error of a device it may have been room`() {
        let text = Failure.madeReadOnly(pools: "", [])
        #expect(text.contains("room for metadata") && text.contains("No image was changed"))
    }
}
