// SPDX-License-Identifier: GPL-2.0-or-later

extension RawSpan {
    /// A little-endian integer at an offset; nil when it does not fit.
    func integer<Value: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as type: Value.Type = Value.self
    ) -> Value? {
        guard offset >= 0, offset <= byteCount - MemoryLayout<Value>.size else { return nil }
        // Safe: every pattern of bits is an integer, and the bounds stand above.
        return Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }

    /// Whether a part lies within.
    func holds(_ offset: Int, lengthBytes: Int) -> Bool {
        offset >= 0 && lengthBytes >= 0 && offset <= byteCount - lengthBytes
    }
}
