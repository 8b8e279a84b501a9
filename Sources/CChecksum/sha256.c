/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256 after FIPS 180-4. */
#include "CChecksum.h"
#include "words.h"

#include <string.h>

enum { BLOCK = 64, LENGTH_FIELD = 8, ROUNDS = 64 };

/* Section 4.2.2. */
static const uint32_t constants[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static void schedule(uint32_t words[ROUNDS], const unsigned char block[BLOCK]) {
    for (int i = 0; i < 16; i++) words[i] = big32(block + 4 * i);
    for (int i = 16; i < ROUNDS; i++) {
        uint32_t early = words[i - 15], late = words[i - 2];
        uint32_t sigma0 = right32(early, 7) ^ right32(early, 18) ^ early >> 3;
        uint32_t sigma1 = right32(late, 17) ^ right32(late, 19) ^ late >> 10;
        words[i] = words[i - 16] + sigma0 + words[i - 7] + sigma1;
    }
}

static void take(uint32_t state[8], const unsigned char block[BLOCK]) {
    uint32_t words[ROUNDS];
    schedule(words, block);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < ROUNDS; i++) {
        uint32_t chosen = (e & f) ^ (~e & g);
        uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        uint32_t sum0 = right32(a, 2) ^ right32(a, 13) ^ right32(a, 22);
        uint32_t sum1 = right32(e, 6) ^ right32(e, 11) ^ right32(e, 25);
        uint32_t first = h + sum1 + chosen + constants[i] + words[i];
        h = g;
        g = f;
        f = e;
        e = d + first;
        d = c;
        c = b;
        b = a;
        a = first + sum0 + majority;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
}

/* A one, zeroes, and the length in bits: in the block that is begun, or in one more. */
static void finish(uint32_t state[8], const unsigned char *left, size_t count, uint64_t length) {
    unsigned char blocks[2 * BLOCK] = {0};
    size_t end = count + 1 + LENGTH_FIELD <= BLOCK ? BLOCK : 2 * BLOCK;
    if (count > 0) memcpy(blocks, left, count);
    blocks[count] = 0x80;
    for (int i = 0; i < LENGTH_FIELD; i++)
        blocks[end - 1 - i] = (unsigned char)(length * 8 >> 8 * i);
    for (size_t start = 0; start < end; start += BLOCK) take(state, blocks + start);
}

uint32_t cchecksum_sha256_32(const void *content, size_t length) {
    const unsigned char *bytes = content;
    size_t whole = length / BLOCK;
    /* Section 5.3.3. */
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (size_t i = 0; i < whole; i++) take(state, bytes + i * BLOCK);
    finish(state, bytes + whole * BLOCK, length % BLOCK, length);
    /* The digest is big-endian, what we give little-endian. */
    return __builtin_bswap32(state[0]);
}
