/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of checksums that Btrfs knows, each cut to the first four bytes of what Btrfs stores,
   as a little-endian number. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), whole; by the processor's own instruction if it has one. */
uint32_t cchecksum_crc32c(const void *bytes, size_t length);
/* XXH64 with seed 0, which Btrfs stores little-endian. */
uint32_t cchecksum_xxhash64_32(const void *bytes, size_t length);
/* SHA-256 (FIPS 180-4), by libgcrypt. */
uint32_t cchecksum_sha256_32(const void *bytes, size_t length);
/* BLAKE2b without a key and with a digest of 32 bytes (RFC 7693), by libgcrypt. */
uint32_t cchecksum_blake2b_32(const void *bytes, size_t length);
