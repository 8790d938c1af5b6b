// Which of many cells lead to a grade within bounds: eight at a time where the processor looks up eight at once.
#include "CKernels.h"

void nt_mark_graded_portable(const uint32_t *cells, size_t count, uint32_t kind, const uint8_t *grades, uint32_t last,
                             uint8_t least, uint8_t most, uint64_t *words) {
    for (size_t first = 0; first < count; first += 64) {
        const size_t here = count - first < 64 ? count - first : 64;
        uint64_t word = 0;
        for (size_t i = 0; i < here; i++) {
            const uint32_t cell = cells[first + i], place = cell >> 2 < last ? cell >> 2 : last;
            const uint8_t beyond = (uint8_t)(grades[place] - least);
            // Without a branch: which of them are marked, nobody foresees.
            word |= (uint64_t)(((cell & 3) == kind) & (beyond <= (uint8_t)(most - least))) << i;
        }
        words[first / 64] = word;
    }
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2")))
static void mark_graded_avx2(const uint32_t *cells, size_t count, uint32_t kind, const uint8_t *grades, uint32_t last,
                             uint8_t least, uint8_t most, uint64_t *words) {
    const __m256i last_place = _mm256_set1_epi32((int)last), low_bits = _mm256_set1_epi32(3);
    const __m256i this_kind = _mm256_set1_epi32((int)kind), low_byte = _mm256_set1_epi32(255);
    const __m256i too_low = _mm256_set1_epi32(least - 1), too_high = _mm256_set1_epi32(most + 1);
    const size_t whole = count / 64;
    for (size_t w = 0; w < whole; w++) {
        uint64_t word = 0;
        for (size_t i = 0; i < 64; i += 8) {
            const __m256i cell = _mm256_loadu_si256((const __m256i *)(cells + w * 64 + i));
            const __m256i place = _mm256_min_epu32(_mm256_srli_epi32(cell, 2), last_place);
            const __m256i grade = _mm256_and_si256(_mm256_i32gather_epi32((const int *)grades, place, 1), low_byte);
            __m256i good = _mm256_cmpeq_epi32(_mm256_and_si256(cell, low_bits), this_kind);
            good = _mm256_and_si256(good, _mm256_cmpgt_epi32(grade, too_low));
            good = _mm256_and_si256(good, _mm256_cmpgt_epi32(too_high, grade));
            word |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(good)) << i;
        }
        words[w] = word;
    }
    nt_mark_graded_portable(cells + whole * 64, count - whole * 64, kind, grades, last, least, most, words + whole);
}

void nt_mark_graded(const uint32_t *cells, size_t count, uint32_t kind, const uint8_t *grades, uint32_t last,
                    uint8_t least, uint8_t most, uint64_t *words) {
    if (__builtin_cpu_supports("avx2")) return mark_graded_avx2(cells, count, kind, grades, last, least, most, words);
    nt_mark_graded_portable(cells, count, kind, grades, last, least, most, words);
}
#else
void nt_mark_graded(const uint32_t *cells, size_t count, uint32_t kind, const uint8_t *grades, uint32_t last,
                    uint8_t least, uint8_t most, uint64_t *words) {
    nt_mark_graded_portable(cells, count, kind, grades, last, least, most, words);
}
#endif
