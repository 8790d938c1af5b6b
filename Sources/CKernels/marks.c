// Which of many numbers lead to something wanted: eight at a time where the processor looks up eight at once.
#include "CKernels.h"

size_t nt_mark_members_portable(const uint32_t *numbers, size_t count, const uint64_t *members, const uint64_t *mask,
                                uint64_t *words) {
    size_t marked = 0;
    for (size_t first = 0; first < count; first += 64) {
        const size_t here = count - first < 64 ? count - first : 64;
        uint64_t word = 0;
        for (size_t i = 0; i < here; i++) {
            const uint32_t number = numbers[first + i];
            word |= (members[number / 64] >> (number % 64) & 1) << i;
        }
        words[first / 64] = word & mask[first / 64];
        marked += (size_t)__builtin_popcountll(words[first / 64]);
    }
    return marked;
}

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

__attribute__((target("avx2,popcnt")))
static size_t mark_members_avx2(const uint32_t *numbers, size_t count, const uint64_t *members, const uint64_t *mask,
                                uint64_t *words) {
    const __m256i low_five = _mm256_set1_epi32(31);
    const size_t whole = count / 64;
    size_t marked = 0;
    for (size_t w = 0; w < whole; w++) {
        uint64_t word = 0;
        for (size_t i = 0; i < 64; i += 8) {
            const __m256i number = _mm256_loadu_si256((const __m256i *)(numbers + w * 64 + i));
            const __m256i half = _mm256_i32gather_epi32((const int *)members, _mm256_srli_epi32(number, 5), 4);
            // The bit goes to the top, where the mask is taken from.
            const __m256i bit = _mm256_sllv_epi32(half, _mm256_andnot_si256(number, low_five));
            word |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(bit)) << i;
        }
        words[w] = word & mask[w];
        marked += (size_t)__builtin_popcountll(words[w]);
    }
    return marked + nt_mark_members_portable(numbers + whole * 64, count - whole * 64, members, mask + whole, words + whole);
}

size_t nt_mark_members(const uint32_t *numbers, size_t count, const uint64_t *members, const uint64_t *mask,
                       uint64_t *words) {
    if (__builtin_cpu_supports("avx2")) return mark_members_avx2(numbers, count, members, mask, words);
    return nt_mark_members_portable(numbers, count, members, mask, words);
}

void nt_mark_graded(const uint32_t *cells, size_t count, uint32_t kind, const uint8_t *grades, uint32_t last,
                    uint8_t least, uint8_t most, uint64_t *words) {
    if (__builtin_cpu_supports("avx2")) return mark_graded_avx2(cells, count, kind, grades, last, least, most, words);
    nt_mark_graded_portable(cells, count, kind, grades, last, least, most, words);
}
#else
size_t nt_mark_members(const uint32_t *numbers, size_t count, const uint64_t *members, const uint64_t *mask,
                       uint64_t *words) {
    return nt_mark_members_portable(numbers, count, members, mask, words);
}

void nt_mark_graded(const uint32_t *cells, size_t count, uint32_t kind, const uint8_t *grades, uint32_t last,
                    uint8_t least, uint8_t most, uint64_t *words) {
    nt_mark_graded_portable(cells, count, kind, grades, last, least, most, words);
}
#endif
