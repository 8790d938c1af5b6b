// Code kernels on NEON with dot products: 16 products an instruction, signed on both sides.
#if defined(__aarch64__)
#define NT_VARIANT neon
#define NT_TARGET __attribute__((target("dotprod")))
#include "codes_plain.h"
#include "codes_variants.h"
#include <arm_neon.h>

#define NT_WIDTH 16
#define NT_BIAS 0
#define NT_PAIR_ROWS 4
#define NT_COLUMN_SUMS 24

typedef int8x16_t vec;
typedef int32x4_t sums;
#define vec_load(p) vld1q_s8((const int8_t *)(p))
#define vec_repeat(four) vreinterpretq_s8_u32(vdupq_n_u32(four))
#define vec_and vandq_s8
#define vec_shift(v, bits) vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(v), bits))
#define vec_values(row) veorq_s8(row, vdupq_n_s8(-128))
#define vec_factor vec_values
#define vec_dot vdotq_s32
#define sums_zero() vdupq_n_s32(0)
#define sums_add vaddq_s32
#define sums_store vst1q_s32
#define insert nt_insert_backwards
#define few sums
#define few_zero sums_zero
#define few_dot vec_dot
#define few_add sums_add
#define few_sums(f) (f)

NT_INLINE void sums_fold(const sums s[4], int32_t out[4]) {
    vst1q_s32(out, vpaddq_s32(vpaddq_s32(s[0], s[1]), vpaddq_s32(s[2], s[3])));
}

NT_INLINE unsigned near_lanes(const int32_t *dots, const int32_t *norms, int32_t limit) {
    static const uint32_t lanes[4] = {1, 2, 4, 8};
    const int32x4_t distance = vmlsq_n_s32(vld1q_s32(norms), vld1q_s32(dots), 2);
    return vaddvq_u32(vandq_u32(vcleq_s32(distance, vdupq_n_s32(limit)), vld1q_u32(lanes)));
}

NT_INLINE unsigned lanes_within(const float *distances, float last) {
    static const uint32_t lanes[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vcleq_f32(vld1q_f32(distances), vdupq_n_f32(last)), vld1q_u32(lanes)));
}

#include "codes_rows.h"

NT_PLAIN_KERNELS(NT_TARGET, neon)
#endif
