# SPDX-License-Identifier: GPL-2.0-or-later
"""What the images hold: their digests, and how many different blocks of 4 KiB."""

import concurrent.futures
import fcntl
import hashlib
import multiprocessing
import os
import signal
import struct

BLOCK_BYTES = 4096
CHUNK_BYTES = 1 << 20
FIEMAP = 0xC020660B
FIEMAP_SYNC = 1
LAST, INLINE, UNWRITTEN, ENCODED = 0x1, 0x200, 0x800, 0x8
HEADER, EXTENT = struct.Struct("=QQIIII"), struct.Struct("=QQQQQIIII")
EXTENTS_A_CALL = 2000
ZEROES = hashlib.blake2b(bytes(BLOCK_BYTES), digest_size=16).digest()


def extents(descriptor):
    """(offset in the file, address, length, flags) of every extent of a file; holes have none."""
    start = 0
    while True:
        request = bytearray(HEADER.size + EXTENTS_A_CALL * EXTENT.size)
        HEADER.pack_into(request, 0, start, (1 << 63) - 1, FIEMAP_SYNC, 0, EXTENTS_A_CALL, 0)
        fcntl.ioctl(descriptor, FIEMAP, request, True)
        count = HEADER.unpack_from(request)[3]
        for index in range(count):
            found = EXTENT.unpack_from(request, HEADER.size + index * EXTENT.size)
            yield found[0], found[1], found[2], found[5]
            start = found[0] + found[2]
            if found[5] & LAST:
                return
        if count == 0:
            return


def unseen(images, address_limit):
    """Every block that the images reach, once: (image, offset, length); and the other sizes."""
    seen = bytearray(address_limit // BLOCK_BYTES)
    pieces, referenced, unwritten, references = [], 0, 0, 0
    for image in images:
        with open(image, "rb") as file:
            for offset, address, length, flags in extents(file.fileno()):
                if flags & (INLINE | ENCODED):
                    raise SystemExit(f"{image}: the ideal can be counted in plain extents only")
                references += 1
                referenced += length
                first, count = address // BLOCK_BYTES, length // BLOCK_BYTES
                if first + count > len(seen):
                    seen.extend(bytes(first + count - len(seen)))
                old = seen[first:first + count]
                seen[first:first + count] = b"\1" * count
                if flags & UNWRITTEN:
                    unwritten += old.count(0) * BLOCK_BYTES
                    continue
                pieces += [(image, offset + begin * BLOCK_BYTES, (end - begin) * BLOCK_BYTES)
                           for begin, end in gaps(old)]
    return pieces, {"referencedBytes": referenced, "unwrittenBytes": unwritten,
                    "references": references, "reachableBytes": seen.count(1) * BLOCK_BYTES}


def gaps(seen):
    """The runs of zero in a row of bytes, as (begin, end)."""
    end = 0
    while (begin := seen.find(0, end)) >= 0:
        end = seen.find(1, begin)
        if end < 0:
            end = len(seen)
        yield begin, end


def digests(pieces):
    """The digest of every block of the pieces, each digest once, one behind the other."""
    found, buffer = set(), bytearray(CHUNK_BYTES)
    view, digest = memoryview(buffer), hashlib.blake2b
    for image, offset, length in pieces:
        descriptor = os.open(image, os.O_RDONLY)
        try:
            while length > 0:
                count = os.preadv(descriptor, [view[:min(length, CHUNK_BYTES)]], offset)
                if count == 0:
                    break
                # The last block of a file may be short; it is a block all the same.
                for begin in range(0, count, BLOCK_BYTES):
                    block = view[begin:min(begin + BLOCK_BYTES, count)]
                    found.add(digest(block, digest_size=16).digest())
                offset += count
                length -= count
        finally:
            os.close(descriptor)
    return found


def shares(pieces, count):
    """The pieces in so many lists of about the same length in bytes."""
    total, passed = sum(piece[2] for piece in pieces) + 1, 0
    cut = [[] for _ in range(count)]
    for piece in pieces:
        cut[passed * count // total].append(piece)
        passed += piece[2]
    return cut


def measure(images, address_limit, workers):
    """The least that the content could take: every different block once. Zeroes need none, and
    what is allocated and not written does not either: both can be holes."""
    pieces, figures = unseen(images, address_limit)
    cut = shares(pieces, 4 * workers)
    # The pool ends its workers by SIGTERM; what the bench does at that signal is not for them.
    forget = (signal.SIGTERM, signal.SIG_DFL)
    with multiprocessing.Pool(workers, signal.signal, forget) as pool:
        unique = set().union(*pool.imap_unordered(digests, cut))
    unique.discard(ZEROES)
    unique_bytes = len(unique) * BLOCK_BYTES
    return figures | {"uniqueBytes": unique_bytes, "idealBytes": unique_bytes}


def sha256(path):
    """The digest of a file."""
    digest, buffer = hashlib.sha256(), bytearray(4 * CHUNK_BYTES)
    view = memoryview(buffer)
    with open(path, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()


def fingerprint(images, workers):
    """What must not change of a file: content, inode, time stamps, size."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        hashes = list(pool.map(sha256, images))
    found = {}
    for image, content in zip(images, hashes):
        status = image.stat()
        found[str(image)] = [content, status.st_ino, status.st_mtime_ns, status.st_ctime_ns,
                             status.st_size]
    return found
