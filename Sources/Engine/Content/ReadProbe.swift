// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

extension ContentStore {
    /// Whether the device gives a range back. What fails for another reason is no fault of the
    /// device's.
    func isReadable(_ file: any OpenFile, at offset: FileOffset, _ length: ByteCount) -> Bool {
        unsafe withUnsafeTemporaryAllocation(byteCount: length.count, alignment: 8) { buffer in
            do throws(BtrfsError) {
                _ = unsafe try read(file, at: offset, into: buffer)
                return true
            } catch {
                return error.reason != .ioError
            }
        }
    }
}
