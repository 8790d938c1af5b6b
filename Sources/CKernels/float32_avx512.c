// float32 kernels on AVX-512 (F, BW, VL, DQ): 16 lanes, eight rows at once in 16 of 32 registers.
#if defined(__x86_64__)
#include <immintrin.h>

#define NT_VARIANT avx512
#define NT_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")))
#define NT_ROWS 8
#define NT_WIDTH 16

typedef __m512 vec;
#define vec_zero _mm512_setzero_ps
#define vec_load _mm512_loadu_ps
#define vec_load_first(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define vec_add _mm512_add_ps
#define vec_sub _mm512_sub_ps
#define vec_fma _mm512_fmadd_ps

NT_TARGET static inline __attribute__((always_inline)) float vec_sum(vec v) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

#include "float32_rows.h"
#endif
