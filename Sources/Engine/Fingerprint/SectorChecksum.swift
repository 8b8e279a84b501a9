// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import CChecksum

extension ChecksumKind {
    /// The first 32 bits of a checksum of this kind, as `ChecksumSource` gives them.
    func checksum(of bytes: UnsafeRawBufferPointer) -> UInt32 {
        switch self {
        case .crc32c: unsafe cchecksum_crc32c(bytes.baseAddress, bytes.count)
        case .xxhash64: unsafe cchecksum_xxhash64_32(bytes.baseAddress, bytes.count)
        case .sha256: unsafe cchecksum_sha256_32(bytes.baseAddress, bytes.count)
        case .blake2b: unsafe cchecksum_blake2b_32(bytes.baseAddress, bytes.count)
        }
    }
}
