/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BLAKE2b after RFC 7693. */
#include "CChecksum.h"
#include "words.h"

#include <string.h>

enum { BLOCK = 128, DIGEST = 32, ROUNDS = 12, SCHEDULES = 10 };

/* Section 2.6: the same as SHA-512's. */
static const uint64_t initial[8] = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
};

/* Section 2.7. */
static const unsigned char schedules[SCHEDULES][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

/* Which four words each of a round's mixes takes: the columns, then the diagonals. */
static const unsigned char places[8][4] = {
    {0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
    {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14},
};

static void mix(uint64_t work[16], const unsigned char place[4], uint64_t first, uint64_t second) {
    uint64_t a = work[place[0]], b = work[place[1]], c = work[place[2]], d = work[place[3]];
    a += b + first;
    d = right64(d ^ a, 32);
    c += d;
    b = right64(b ^ c, 24);
    a += b + second;
    d = right64(d ^ a, 16);
    c += d;
    b = right64(b ^ c, 63);
    work[place[0]] = a;
    work[place[1]] = b;
    work[place[2]] = c;
    work[place[3]] = d;
}

/* `total` is what was taken with this block; lengths of 2^64 and more do not come here. */
static void take(uint64_t state[8], const unsigned char block[BLOCK], uint64_t total, int isLast) {
    uint64_t words[16], work[16];
    for (int i = 0; i < 16; i++) words[i] = little64(block + 8 * i);
    memcpy(work, state, 8 * sizeof *work);
    memcpy(work + 8, initial, sizeof initial);
    work[12] ^= total;
    if (isLast) work[14] = ~work[14];
    for (int round = 0; round < ROUNDS; round++) {
        const unsigned char *order = schedules[round % SCHEDULES];
        for (int i = 0; i < 8; i++)
            mix(work, places[i], words[order[2 * i]], words[order[2 * i + 1]]);
    }
    for (int i = 0; i < 8; i++) state[i] ^= work[i] ^ work[i + 8];
}

uint32_t cchecksum_blake2b_32(const void *content, size_t length) {
    const unsigned char *bytes = content;
    uint64_t state[8];
    memcpy(state, initial, sizeof state);
    /* The parameters: one leaf, one level, no key, and the digest's length. */
    state[0] ^= 0x01010000 ^ DIGEST;
    size_t taken = 0;
    /* The last block is marked, be it full: so it is left for the end. */
    for (; length - taken > BLOCK; taken += BLOCK) take(state, bytes + taken, taken + BLOCK, 0);
    unsigned char last[BLOCK] = {0};
    if (length > taken) memcpy(last, bytes + taken, length - taken);
    take(state, last, length, 1);
    return (uint32_t)state[0];
}
