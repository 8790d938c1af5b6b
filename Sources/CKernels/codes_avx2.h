// The 256-bit vector that both AVX2 variants of the code kernels share: all but their multiplication.
#include "codes_plain.h"
#include "codes_pool.h"
#include "codes_variants.h"
#include <immintrin.h>

#define NT_WIDTH 32
#define NT_BIAS 128
// Of sixteen registers, eight sums of pairs leave room for both factors widened; twelve of a projection, for one.
#define NT_PAIR_ROWS 2
#define NT_COLUMN_SUMS 12

typedef __m256i vec, sums;
#define vec_load(p) _mm256_loadu_si256((const __m256i *)(p))
#define vec_repeat(four) _mm256_set1_epi32((int)(four))
#define vec_and _mm256_and_si256
#define vec_shift _mm256_srli_epi16
#define vec_values(row) _mm256_xor_si256(row, _mm256_set1_epi8((char)0x80))
#define vec_factor(row) (row)
#define sums_zero _mm256_setzero_si256
#define sums_add _mm256_add_epi32
#define sums_store(p, s) _mm256_storeu_si256((__m256i *)(p), s)

NT_INLINE void sums_fold(const sums s[4], int32_t out[4]) {
    const __m256i ab = _mm256_add_epi32(_mm256_unpacklo_epi32(s[0], s[1]), _mm256_unpackhi_epi32(s[0], s[1]));
    const __m256i cd = _mm256_add_epi32(_mm256_unpacklo_epi32(s[2], s[3]), _mm256_unpackhi_epi32(s[2], s[3]));
    const __m256i all = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
    _mm_storeu_si128((__m128i *)out, _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
}

NT_INLINE unsigned near_lanes(const int32_t *dots, const int32_t *norms, int32_t limit) {
    const __m256i dot = vec_load(dots), distance = _mm256_sub_epi32(vec_load(norms), _mm256_add_epi32(dot, dot));
    const __m256i far = _mm256_cmpgt_epi32(distance, _mm256_set1_epi32(limit));
    return 0xff & ~(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(far));
}

NT_INLINE unsigned lanes_within(const float *distances, float last) {
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(distances), _mm256_set1_ps(last), _CMP_LE_OQ));
}

// Searched by comparison and moved four at a time; what is moved too far lands in the room behind the pool.
NT_INLINE size_t insert(uint64_t *keys, size_t count, uint64_t key) {
    // There is no unsigned comparison: the highest bit is turned over on both sides.
    const __m256i flip = _mm256_set1_epi64x((long long)(1ull << 63));
    const __m256i wanted = _mm256_xor_si256(_mm256_set1_epi64x((long long)key), flip);
    size_t place = 0;
    // Sixteen by one comparison, where there are many.
    while (place + 16 <= count && keys[place + 15] <= key) place += 16;
    for (; place < count; place += 4) {
        const __m256i four = _mm256_xor_si256(vec_load(keys + place), flip);
        const __m256i greater = _mm256_cmpgt_epi64(four, wanted);
        const unsigned which = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(greater));
        if (which) {
            place += (size_t)__builtin_ctz(which);
            break;
        }
    }
    // Keys behind the last one are not in order, and count for nothing.
    place = place < count ? place : count;
    for (size_t left = (count - place + 3) & ~(size_t)3; left > 0; left -= 4) {
        uint64_t *from = keys + place + left - 4;
        _mm256_storeu_si256((__m256i *)(from + 1), vec_load(from));
    }
    keys[place] = key;
    return place;
}
