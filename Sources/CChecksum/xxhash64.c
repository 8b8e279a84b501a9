/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XXH64 after the xxHash specification, version 0.1.1. */
#include "CChecksum.h"
#include "words.h"

enum { LANES = 4, STRIPE = 8 * LANES };

static const uint64_t prime1 = 0x9e3779b185ebca87u;
static const uint64_t prime2 = 0xc2b2ae3d27d4eb4fu;
static const uint64_t prime3 = 0x165667b19e3779f9u;
static const uint64_t prime4 = 0x85ebca77c2b2ae63u;
static const uint64_t prime5 = 0x27d4eb2f165667c5u;

static uint64_t taken(uint64_t lane, uint64_t word) {
    return left64(lane + word * prime2, 31) * prime1;
}

/* Takes all whole stripes and joins their lanes. */
static uint64_t stripes(const unsigned char *bytes, size_t count) {
    uint64_t lanes[LANES] = {prime1 + prime2, prime2, 0, 0 - prime1};
    for (; count > 0; count--, bytes += STRIPE)
        for (int i = 0; i < LANES; i++) lanes[i] = taken(lanes[i], little64(bytes + 8 * i));
    uint64_t sum =
        left64(lanes[0], 1) + left64(lanes[1], 7) + left64(lanes[2], 12) + left64(lanes[3], 18);
    for (int i = 0; i < LANES; i++) sum = (sum ^ taken(0, lanes[i])) * prime1 + prime4;
    return sum;
}

/* Takes what is left, less than a stripe. */
static uint64_t rest(uint64_t sum, const unsigned char *bytes, size_t length) {
    for (; length >= 8; length -= 8, bytes += 8)
        sum = left64(sum ^ taken(0, little64(bytes)), 27) * prime1 + prime4;
    if (length >= 4) {
        sum = left64(sum ^ little32(bytes) * prime1, 23) * prime2 + prime3;
        length -= 4;
        bytes += 4;
    }
    for (; length > 0; length--) sum = left64(sum ^ *bytes++ * prime5, 11) * prime1;
    return sum;
}

uint32_t cchecksum_xxhash64_32(const void *content, size_t length) {
    const unsigned char *bytes = content;
    size_t whole = length / STRIPE;
    uint64_t sum = whole > 0 ? stripes(bytes, whole) : prime5;
    sum = rest(sum + length, bytes + whole * STRIPE, length % STRIPE);
    sum = (sum ^ sum >> 33) * prime2;
    sum = (sum ^ sum >> 29) * prime3;
    return (uint32_t)(sum ^ sum >> 32);
}
