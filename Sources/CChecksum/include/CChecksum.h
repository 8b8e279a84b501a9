/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C (Castagnoli) as Btrfs stores it, by the processor's own instruction if it has one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

uint32_t cchecksum_crc32c(const void *bytes, size_t length);
