// float32 kernels on AVX2 with FMA: 8 lanes, three rows at once in 12 of 16 registers.
#if defined(__x86_64__)
#include <immintrin.h>

#define NT_VARIANT avx2
#define NT_TARGET __attribute__((target("avx2,fma")))
#define NT_ROWS 3
#define NT_WIDTH 8

typedef __m256 vec;
#define vec_zero _mm256_setzero_ps
#define vec_load _mm256_loadu_ps
#define vec_add _mm256_add_ps
#define vec_sub _mm256_sub_ps
#define vec_fma _mm256_fmadd_ps

NT_TARGET static inline __attribute__((always_inline)) vec vec_load_first(const float *p, unsigned long n) {
    // Read from 8 - n on, this is n times -1 and then zeros: a mask, under which the load cannot fault.
    static const int ones_then_zeros[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_maskload_ps(p, _mm256_loadu_si256((const __m256i *)(ones_then_zeros + 8 - n)));
}

NT_TARGET static inline __attribute__((always_inline)) float vec_sum(vec v) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "float32_rows.h"
#endif
