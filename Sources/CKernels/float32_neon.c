// float32 kernels on NEON: 4 lanes, three rows at once in 24 of 32 registers.
#if defined(__aarch64__)
#include <arm_neon.h>
#include <stddef.h>

#define NT_VARIANT neon
#define NT_TARGET
#define NT_ROWS 3
#define NT_WIDTH 4

typedef float32x4_t vec;
#define vec_zero() vdupq_n_f32(0)
#define vec_load vld1q_f32
#define vec_add vaddq_f32
#define vec_sub vsubq_f32
#define vec_fma(a, b, sum) vfmaq_f32(sum, a, b)

static inline __attribute__((always_inline)) vec vec_load_first(const float *p, size_t n) {
    vec v = vld1q_lane_f32(p, vec_zero(), 0);
    if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
    if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
    return v;
}

static inline __attribute__((always_inline)) float vec_sum(vec v) {
    const float32x2_t two = vadd_f32(vget_low_f32(v), vget_high_f32(v));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

#include "float32_rows.h"
#endif
