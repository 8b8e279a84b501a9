// SPDX-License-Identifier: GPL-2.0-or-later
internal import CChecksum

/// SHA-256 of what is put in, as `sha256sum` prints it. No job goes by it: fingerprints, by which
/// they do, have nothing in common with it, so that one mistake cannot be in both.
@safe public struct ContentDigest: ~Copyable {
    /// The length of a digest in bytes.
    public static let lengthBytes = Int(CCHECKSUM_SHA256_BYTES)
    private static let zeroes = [UInt8](repeating: 0, count: 256 * 1024)

    private let sum: OpaquePointer

    /// nil where there is no memory for it.
    public init?() {
        guard let sum = unsafe cchecksum_sha256_open() else { return nil }
        unsafe self.sum = sum
    }

    deinit { unsafe cchecksum_sha256_close(sum) }

    /// Takes more of it in.
    public func take(_ bytes: UnsafeRawBufferPointer) {
        unsafe cchecksum_sha256_take(sum, bytes.baseAddress, bytes.count)
    }

    /// Takes in what a hole reads as.
    public func takeZeroes(_ lengthBytes: UInt64) {
        var left = lengthBytes
        while left > 0 {
            let count = min(left, UInt64(Self.zeroes.count))
            unsafe Self.zeroes.withUnsafeBytes { unsafe take(.init(rebasing: $0[..<Int(count)])) }
            left -= count
        }
    }

    /// Of all that was taken in.
    public consuming func finish() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: Self.lengthBytes) { memory, count in
            unsafe cchecksum_sha256_end(sum, memory.baseAddress)
            count = Self.lengthBytes
        }
    }

    /// Of some bytes.
    public static func of(_ bytes: [UInt8]) -> [UInt8]? {
        guard let digest = ContentDigest() else { return nil }
        unsafe bytes.withUnsafeBytes { unsafe digest.take($0) }
        return digest.finish()
    }
}
