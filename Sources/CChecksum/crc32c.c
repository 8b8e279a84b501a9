/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "CChecksum.h"

#include <string.h>

static uint32_t portable(const unsigned char *bytes, size_t length) {
    /* Bit by bit over the reflected polynomial: only for processors that dom0 does not run on. */
    uint32_t crc = ~0u;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82f63b78u & -(crc & 1));
    }
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t hardware(const unsigned char *bytes,
                                                           size_t length) {
    uint64_t crc = ~0u;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = __builtin_ia32_crc32di(crc, word);
        bytes += 8;
        length -= 8;
    }
    while (length-- > 0) crc = __builtin_ia32_crc32qi((uint32_t)crc, *bytes++);
    return ~(uint32_t)crc;
}
#endif

uint32_t cchecksum_crc32c(const void *bytes, size_t length) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return hardware(bytes, length);
#endif
    return portable(bytes, length);
}
