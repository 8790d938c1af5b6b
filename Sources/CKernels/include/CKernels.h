// The kernels: small C functions whose speed depends on the instruction set, each chosen once at start.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `count` bytes, continuing from `crc`.
/// Start from 0; feeding two halves in turn gives the checksum of the whole.
uint32_t nt_crc32c(uint32_t crc, const void *bytes, size_t count);
