// base64 on NEON: 64 characters against 48 bytes at a time, taken apart and put together by its own loads.
#if defined(__aarch64__)
#include "base64.h"
#include <arm_neon.h>

// A character below 64 finds its value in the first table and none in the second, and the other way about;
// from 128 on it finds none, which is 0.
static inline uint8x16_t value_of(uint8x16x4_t low, uint8x16x4_t high, uint8x16_t character) {
    const uint8x16_t first = vqtbl4q_u8(low, character);
    return vqtbx4q_u8(first, high, vsubq_u8(character, vdupq_n_u8(64)));
}

static size_t decode_middle(const uint8_t *text, size_t groups, uint8_t *bytes, bool *good) {
    const uint8x16x4_t low = vld1q_u8_x4(nt_base64_values);
    const uint8x16x4_t high = vld1q_u8_x4(nt_base64_values + 64);
    uint8x16_t all_known = vdupq_n_u8(0x40);  // bit 6 stays while every look-up was good
    size_t done = 0;
    for (; done + 16 <= groups; done += 16, text += 64, bytes += 48) {
        const uint8x16x4_t character = vld4q_u8(text);
        const uint8x16_t a = value_of(low, high, character.val[0]), b = value_of(low, high, character.val[1]);
        const uint8x16_t c = value_of(low, high, character.val[2]), d = value_of(low, high, character.val[3]);
        all_known = vandq_u8(all_known, vandq_u8(vandq_u8(a, b), vandq_u8(c, d)));
        // The 0x40 that marks a good value leaves at the top, or is overwritten by the insertion of the next.
        const uint8x16x3_t whole = {{
            vsliq_n_u8(vshrq_n_u8(vshlq_n_u8(b, 2), 6), a, 2),
            vsliq_n_u8(vshrq_n_u8(vshlq_n_u8(c, 2), 4), b, 4),
            vsliq_n_u8(vandq_u8(d, vdupq_n_u8(63)), c, 6),
        }};
        vst3q_u8(bytes, whole);
    }
    if (vminvq_u8(all_known) == 0) *good = false;
    return done;
}

ptrdiff_t nt_base64_decode_neon(const uint8_t *text, size_t text_count, float *out, size_t count, bool *finite) {
    return base64_decode_f32(text, text_count, out, count, finite, decode_middle, nt_all_finite_neon);
}

void nt_base64_encode_neon(const uint8_t *bytes, size_t count, uint8_t *text) {
    const uint8x16x4_t alphabet = vld1q_u8_x4(nt_base64_alphabet);
    const uint8x16_t six_bits = vdupq_n_u8(63);
    for (; count >= 48; bytes += 48, count -= 48, text += 64) {
        const uint8x16x3_t whole = vld3q_u8(bytes);
        const uint8x16_t second = vsliq_n_u8(vshrq_n_u8(whole.val[1], 4), whole.val[0], 4);
        const uint8x16_t third = vsliq_n_u8(vshrq_n_u8(whole.val[2], 6), whole.val[1], 2);
        const uint8x16x4_t characters = {{
            vqtbl4q_u8(alphabet, vshrq_n_u8(whole.val[0], 2)),
            vqtbl4q_u8(alphabet, vandq_u8(second, six_bits)),
            vqtbl4q_u8(alphabet, vandq_u8(third, six_bits)),
            vqtbl4q_u8(alphabet, vandq_u8(whole.val[2], six_bits)),
        }};
        vst4q_u8(text, characters);
    }
    nt_base64_encode_portable(bytes, count, text);
}
#endif
