// Code kernels on AVX2 with FMA: bytes are widened to 16 bits, whose products are exact.
#if defined(__x86_64__)
#define NT_VARIANT avx2
#define NT_TARGET __attribute__((target("avx2,fma")))
#include "codes_avx2.h"

// Even bytes and odd bytes apart, without a shuffle. The instruction that multiplies bytes as they are adds two products in 16
// bits, where they do not fit: 2 * 255 * 127.
NT_INLINE sums vec_dot(sums s, vec factor, vec values) {
    const vec even = _mm256_and_si256(factor, _mm256_set1_epi16(0xff)), odd = _mm256_srli_epi16(factor, 8);
    const vec even_values = _mm256_srai_epi16(_mm256_slli_epi16(values, 8), 8), odd_values = _mm256_srai_epi16(values, 8);
    return sums_add(s, sums_add(_mm256_madd_epi16(even, even_values), _mm256_madd_epi16(odd, odd_values)));
}

// The values of a line have 4 bits or 2: two products fit 16 bits, and so do all that come into a lane, 2 * 2 * 15 * 128 of two 4-bit planes and
// 2 * (4 + 4) * 3 * 128 of 2-bit ones at the most. Half the instructions of `vec_dot`.
typedef __m256i few;
#define few_zero _mm256_setzero_si256
#define few_dot(f, factor, values) _mm256_add_epi16(f, _mm256_maddubs_epi16(factor, values))
#define few_add _mm256_add_epi16
#define few_sums(f) _mm256_madd_epi16(f, _mm256_set1_epi16(1))

#include "codes_rows.h"

NT_PLAIN_KERNELS(NT_TARGET, avx2)
#endif
