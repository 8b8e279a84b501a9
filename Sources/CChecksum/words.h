/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words in memory, at any alignment and on any processor; compilers make one load of each. */
#pragma once
#include <stdint.h>

static inline uint32_t little32(const unsigned char *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline uint64_t little64(const unsigned char *at) {
    return (uint64_t)little32(at) | (uint64_t)little32(at + 4) << 32;
}

/* The bits of a rotation are never 0 here: a shift by the whole width would be undefined. */
static inline uint64_t right64(uint64_t word, unsigned bits) {
    return word >> bits | word << (64 - bits);
}

static inline uint64_t left64(uint64_t word, unsigned bits) { return right64(word, 64 - bits); }
