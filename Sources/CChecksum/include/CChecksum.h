/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of checksums that Btrfs knows, each cut to the first four bytes of what Btrfs stores,
   as a little-endian number; and SHA-256 of what comes piece by piece, whole. */
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

enum { CCHECKSUM_SHA256_BYTES = 32 };

/* SHA-256 (FIPS 180-4) of what is still to come, by libgcrypt; NULL where there is no memory. */
typedef struct cchecksum_sha256 cchecksum_sha256;
cchecksum_sha256 *cchecksum_sha256_open(void);
/* More of it. */
void cchecksum_sha256_take(cchecksum_sha256 *sum, const void *bytes, size_t length);
/* The digest of all of it, once. */
void cchecksum_sha256_end(cchecksum_sha256 *sum, unsigned char digest[CCHECKSUM_SHA256_BYTES]);
void cchecksum_sha256_close(cchecksum_sha256 *sum);
