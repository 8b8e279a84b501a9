/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 and BLAKE2b by libgcrypt, which knows what this processor can do. */
#include "CChecksum.h"
#include "words.h"

#include <gcrypt.h>
#include <pthread.h>
#include <string.h>

enum { DIGEST = 32 };

/* No secret is ever hashed here, and in FIPS mode BLAKE2b would end the process. */
static void prepare(void)
{
    gcry_control(GCRYCTL_NO_FIPS_MODE, 0);
    gcry_check_version(NULL);
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
}

static void prepare_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
}

static uint32_t first_bytes(int algorithm, const void *bytes, size_t length)
{
    unsigned char digest[DIGEST];
    prepare_once();
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

/* A handle of libgcrypt under another name: nobody else has to know its header. */
static gcry_md_hd_t handle(cchecksum_sha256 *sum) { return (gcry_md_hd_t)sum; }

cchecksum_sha256 *cchecksum_sha256_open(void)
{
    gcry_md_hd_t sum = NULL;
    prepare_once();
    if (gcry_md_open(&sum, GCRY_MD_SHA256, 0) != 0) return NULL;
    return (cchecksum_sha256 *)sum;
}

void cchecksum_sha256_take(cchecksum_sha256 *sum, const void *bytes, size_t length)
{
    gcry_md_write(handle(sum), bytes, length);
}

void cchecksum_sha256_end(cchecksum_sha256 *sum, unsigned char digest[CCHECKSUM_SHA256_BYTES])
{
    memcpy(digest, gcry_md_read(handle(sum), GCRY_MD_SHA256), CCHECKSUM_SHA256_BYTES);
}

void cchecksum_sha256_close(cchecksum_sha256 *sum) { gcry_md_close(handle(sum)); }
