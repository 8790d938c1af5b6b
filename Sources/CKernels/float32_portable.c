// float32 kernels in C alone: four lanes for the compiler to put where it can.
#include <stddef.h>
#include <string.h>

#define NT_VARIANT portable
#define NT_TARGET
#define NT_ROWS 1  // 16 registers, as x86-64 has without extensions, hold the sums of one row
#define NT_WIDTH 4

typedef float vec __attribute__((vector_size(16)));
#define vec_zero() ((vec){0})
#define vec_add(a, b) ((a) + (b))
#define vec_sub(a, b) ((a) - (b))

static inline __attribute__((always_inline)) vec vec_load(const float *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline __attribute__((always_inline)) vec vec_load_first(const float *p, size_t n) {
    vec v = vec_zero();
    for (size_t l = 0; l < n; l++) v[l] = p[l];
    return v;
}

static inline __attribute__((always_inline)) vec vec_fma(vec a, vec b, vec sum) {
#if defined(__FP_FAST_FMAF)
    for (int l = 0; l < 4; l++) sum[l] = __builtin_fmaf(a[l], b[l], sum[l]);
    return sum;
#else
    return a * b + sum;
#endif
}

static inline __attribute__((always_inline)) float vec_sum(vec v) {
    return (v[0] + v[2]) + (v[1] + v[3]);
}

#include "float32_rows.h"
