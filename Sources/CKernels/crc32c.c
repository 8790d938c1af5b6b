// CRC-32C: by the processor's own instruction where it has one, by a table of four bits elsewhere.
#include "CKernels.h"
#include <string.h>

// Sixteen entries instead of 256: the table path only runs on processors without the instruction,
// and a table that fits one cache line cannot be evicted into slowness.
static const uint32_t nibbles[16] = {
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static uint32_t crc32c_table(uint32_t state, const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        state ^= bytes[i];
        state = (state >> 4) ^ nibbles[state & 15];
        state = (state >> 4) ^ nibbles[state & 15];
    }
    return state;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2")))
static uint32_t crc32c_sse42(uint32_t state, const uint8_t *bytes, size_t count) {
    uint64_t wide = state;
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    state = (uint32_t)wide;
    for (; count > 0; bytes++, count--) state = _mm_crc32_u8(state, *bytes);
    return state;
}

uint32_t nt_crc32c(uint32_t crc, const void *bytes, size_t count) {
    const uint32_t state = ~crc;
    return ~(__builtin_cpu_supports("sse4.2") ? crc32c_sse42(state, bytes, count)
                                              : crc32c_table(state, bytes, count));
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

uint32_t nt_crc32c(uint32_t crc, const void *bytes, size_t count) {
    uint32_t state = ~crc;
    const uint8_t *cursor = bytes;
    for (; count >= 8; cursor += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, cursor, 8);
        state = __crc32cd(state, word);
    }
    for (; count > 0; cursor++, count--) state = __crc32cb(state, *cursor);
    return ~state;
}
#else
uint32_t nt_crc32c(uint32_t crc, const void *bytes, size_t count) {
    return ~crc32c_table(~crc, bytes, count);
}
#endif
