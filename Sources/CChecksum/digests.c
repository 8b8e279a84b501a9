/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 and BLAKE2b by libgcrypt, which knows what this processor can do. */
#include "CChecksum.h"
#include "words.h"

#include <gcrypt.h>
#include <pthread.h>

enum { DIGEST = 32 };

/* No secret is ever hashed here, and in FIPS mode BLAKE2b would end the process. */
static void prepare(void)
{
    gcry_control(GCRYCTL_NO_FIPS_MODE, 0);
    gcry_check_version(NULL);
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

static uint32_t first_bytes(int algorithm, const void *bytes, size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    unsigned char digest[DIGEST];
    pthread_once(&once, prepare);
    gcry_md_hash_buffer(algorithm, digest, bytes, length);
    return little32(digest);
}

uint32_t cchecksum_sha256_32(const void *bytes, size_t length)
{
    return first_bytes(GCRY_MD_SHA256, bytes, length);
}

uint32_t cchecksum_blake2b_32(const void *bytes, size_t length)
{
    return first_bytes(GCRY_MD_BLAKE2B_256, bytes, length);
}
