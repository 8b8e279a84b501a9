/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C (Castagnoli) as Btrfs stores it, with the processor's own instruction where it has one. */
#pragma once
#include <stddef.h>
#include <stdint.h>

uint32_t cchecksum_crc32c(const void *bytes, size_t length);
