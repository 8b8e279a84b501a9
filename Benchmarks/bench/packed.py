# SPDX-License-Identifier: GPL-2.0-or-later
"""The least that the content could take when it is compressed as well: every different block
once, in the order in which the images reach them, in zstd frames of 128 KiB, rounded up to
sectors."""

import ctypes
import hashlib
import os

from .ideal import BLOCK_BYTES, CHUNK_BYTES, ZEROES, unseen

FRAME_BYTES = 128 * 1024
LEVEL = 3


class Packer:
    """Counts what frames of unique blocks take."""

    def __init__(self):
        self.library = ctypes.CDLL("libzstd.so.1")
        self.library.ZSTD_compressBound.restype = ctypes.c_size_t
        self.library.ZSTD_compress.restype = ctypes.c_size_t
        self.library.ZSTD_isError.restype = ctypes.c_uint
        self.target = ctypes.create_string_buffer(
            self.library.ZSTD_compressBound(ctypes.c_size_t(FRAME_BYTES)))
        self.frame, self.total = bytearray(), 0

    def add(self, block):
        """One more block."""
        self.frame += block
        if len(self.frame) >= FRAME_BYTES:
            self.flush()

    def flush(self):
        """Ends a frame; one that does not shrink stays as it is."""
        if not self.frame:
            return
        length = self.library.ZSTD_compress(
            self.target, ctypes.c_size_t(len(self.target)), bytes(self.frame),
            ctypes.c_size_t(len(self.frame)), LEVEL)
        if self.library.ZSTD_isError(ctypes.c_size_t(length)):
            raise SystemExit("libzstd could not compress a frame")
        whole = -(-len(self.frame) // BLOCK_BYTES) * BLOCK_BYTES
        self.total += min(-(-length // BLOCK_BYTES) * BLOCK_BYTES, whole)
        self.frame.clear()


def measure(images, address_limit):
    """The bytes on disk; zeroes take none, as they can be holes."""
    pieces, _ = unseen(images, address_limit)
    packer, seen = Packer(), {ZEROES}
    for image, offset, length in pieces:
        with open(image, "rb", buffering=0) as file:
            file.seek(offset)
            while length > 0:
                content = file.read(min(length, CHUNK_BYTES))
                if not content:
                    break
                for begin in range(0, len(content), BLOCK_BYTES):
                    block = content[begin:begin + BLOCK_BYTES]
                    digest = hashlib.blake2b(block, digest_size=16).digest()
                    if digest not in seen:
                        seen.add(digest)
                        packer.add(block)
                length -= len(content)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    packer.flush()
    return packer.total
