// base64 on AVX-512 VBMI: 64 characters against 48 bytes at a time, by whole-register byte look-ups.
#if defined(__x86_64__)
#include "base64.h"
#include <immintrin.h>

#define VBMI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,bmi2")))

VBMI static size_t decode_middle(const uint8_t *text, size_t groups, uint8_t *bytes, bool *good) {
    const __m512i values_low = _mm512_loadu_si512(nt_base64_values);
    const __m512i values_high = _mm512_loadu_si512(nt_base64_values + 64);
    // Of every four bytes the first three, in reverse.
    static const uint8_t reverse[64] = {
        2,  1,  0,  6,  5,  4,  10, 9,  8,  14, 13, 12, 18, 17, 16, 22, 21, 20, 26, 25, 24, 30, 29, 28,
        34, 33, 32, 38, 37, 36, 42, 41, 40, 46, 45, 44, 50, 49, 48, 54, 53, 52, 58, 57, 56, 62, 61, 60,
    };
    const __m512i order = _mm512_loadu_si512(reverse);

    __m512i all_known = _mm512_set1_epi8(0x40);  // bit 6 stays while every look-up was good
    __m512i any_high = _mm512_setzero_si512();   // bit 7 tells of a character the look-up took for another
    for (size_t done = 0; done < groups; done += 16) {
        const unsigned left = groups - done < 16 ? (unsigned)(groups - done) : 16;
        const __m512i character = _mm512_mask_loadu_epi8(
            _mm512_set1_epi8('A'), _bzhi_u64(~0ull, 4 * left), text + 4 * done);
        const __m512i found = _mm512_permutex2var_epi8(values_low, character, values_high);
        all_known = _mm512_and_si512(all_known, found);
        any_high = _mm512_or_si512(any_high, character);
        const __m512i value = _mm512_and_si512(found, _mm512_set1_epi8(63));
        // a * 64 + b, then ab * 4096 + cd.
        const __m512i pairs = _mm512_maddubs_epi16(value, _mm512_set1_epi16(0x0140));
        const __m512i quads = _mm512_madd_epi16(pairs, _mm512_set1_epi32(0x00011000));
        _mm512_mask_storeu_epi8(bytes + 3 * done, _bzhi_u64(~0ull, 3 * left),
                                _mm512_permutexvar_epi8(order, quads));
    }
    if (_mm512_testn_epi8_mask(all_known, _mm512_set1_epi8(0x40)) | _mm512_movepi8_mask(any_high)) *good = false;
    return groups;
}

VBMI ptrdiff_t nt_base64_decode_avx512vbmi(const uint8_t *text, size_t text_count, float *out, size_t count,
                                           bool *finite) {
    return base64_decode_f32(text, text_count, out, count, finite, decode_middle, nt_all_finite_avx512);
}

VBMI void nt_base64_encode_avx512vbmi(const uint8_t *bytes, size_t count, uint8_t *text) {
    // Bytes 0 1 2 become the 32-bit word 1 0 2 1; from there each value is eight bits away at 10, 4, 22, 16.
    static const uint8_t spread[64] = {
        1,  0,  2,  1,  4,  3,  5,  4,  7,  6,  8,  7,  10, 9,  11, 10, 13, 12, 14, 13, 16, 15,
        17, 16, 19, 18, 20, 19, 22, 21, 23, 22, 25, 24, 26, 25, 28, 27, 29, 28, 31, 30, 32, 31,
        34, 33, 35, 34, 37, 36, 38, 37, 40, 39, 41, 40, 43, 42, 44, 43, 46, 45, 47, 46,
    };
    const __m512i order = _mm512_loadu_si512(spread);
    const __m512i shifts = _mm512_set1_epi64(0x3036242a1016040a);
    const __m512i alphabet = _mm512_loadu_si512(nt_base64_alphabet);
    while (count >= 3) {
        const unsigned groups = count < 48 ? (unsigned)(count / 3) : 16;
        const __m512i loaded = _mm512_maskz_loadu_epi8(_bzhi_u64(~0ull, 3 * groups), bytes);
        const __m512i word = _mm512_permutexvar_epi8(order, loaded);
        // The look-up takes six bits of an index and leaves the two above, which belong to a neighbour.
        const __m512i value = _mm512_multishift_epi64_epi8(shifts, word);
        _mm512_mask_storeu_epi8(text, _bzhi_u64(~0ull, 4 * groups), _mm512_permutexvar_epi8(value, alphabet));
        bytes += 3 * groups, count -= 3 * groups, text += 4 * groups;
    }
    nt_base64_encode_portable(bytes, count, text);
}
#endif
