// base64 on AVX2: 32 characters against 24 bytes at a time, classified by their two halves.
#if defined(__x86_64__)
#include "base64.h"
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

// Both 128-bit halves the same 16 bytes, for in-lane table look-ups.
AVX2 static inline __m256i table(__m128i entries) { return _mm256_broadcastsi128_si256(entries); }

AVX2 static size_t decode_middle(const uint8_t *text, size_t groups, uint8_t *bytes, bool *good) {
    // The high half of a character names its class as a bit; the low half names the classes it spoils:
    // 1 = 2x (only + and /), 2 = 3x (digits), 4 = 4x and 6x (all but x0), 8 = 5x and 7x (up to xA),
    // 16 = every other, spoiled by all.
    const __m256i class_of_high = table(_mm_setr_epi8(16, 16, 1, 2, 4, 8, 4, 8, 16, 16, 16, 16, 16, 16, 16, 16));
    const __m256i spoiled_by_low = table(_mm_setr_epi8(
        0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a));
    // What to add to a character to get its value, by high half; '/' takes the place before '+'.
    const __m256i to_value = table(_mm_setr_epi8(
        0, '?' - '/', 62 - '+', 52 - '0', 0 - 'A', 0 - 'A', 26 - 'a', 26 - 'a', 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i low_half = _mm256_set1_epi8(15);
    // Of every four bytes the first three, in reverse; then both halves' twelve bytes side by side.
    const __m256i reverse = table(_mm_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
    const __m256i side_by_side = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7);

    __m256i bad = _mm256_setzero_si256();
    size_t done = 0;
    for (; done + 8 <= groups; done += 8, text += 32, bytes += 24) {
        const __m256i character = _mm256_loadu_si256((const __m256i *)text);
        const __m256i high = _mm256_and_si256(_mm256_srli_epi32(character, 4), low_half);
        const __m256i low = _mm256_and_si256(character, low_half);
        bad = _mm256_or_si256(bad, _mm256_and_si256(_mm256_shuffle_epi8(class_of_high, high),
                                                    _mm256_shuffle_epi8(spoiled_by_low, low)));
        const __m256i is_slash = _mm256_cmpeq_epi8(character, _mm256_set1_epi8('/'));
        const __m256i value = _mm256_add_epi8(
            character, _mm256_shuffle_epi8(to_value, _mm256_add_epi8(high, is_slash)));
        // a * 64 + b, then ab * 4096 + cd.
        const __m256i pairs = _mm256_maddubs_epi16(value, _mm256_set1_epi16(0x0140));
        const __m256i quads = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
        const __m256i packed = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(quads, reverse), side_by_side);
        _mm_storeu_si128((__m128i *)bytes, _mm256_castsi256_si128(packed));
        _mm_storel_epi64((__m128i *)(bytes + 16), _mm256_extracti128_si256(packed, 1));
    }
    if (!_mm256_testz_si256(bad, bad)) *good = false;
    return done;
}

AVX2 ptrdiff_t nt_base64_decode_avx2(const uint8_t *text, size_t text_count, float *out, size_t count, bool *finite) {
    return base64_decode_f32(text, text_count, out, count, finite, decode_middle, nt_all_finite_avx2);
}

AVX2 void nt_base64_encode_avx2(const uint8_t *bytes, size_t count, uint8_t *text) {
    // Bytes 0 1 2 become the 32-bit word 1 0 2 1, in which each value lies whole in one 16-bit half. The
    // second half loads from byte 8, not 12, so that nothing past the 24 is read.
    const __m256i spread = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10,
                                            5, 4, 6, 5, 8, 7, 9, 8, 11, 10, 12, 11, 14, 13, 15, 14);
    // What to add to a value, by its class: 0 = a-z, 1...10 = digits, 11 = +, 12 = /, 13 = A-Z.
    const __m256i to_character = table(_mm_setr_epi8(
        'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
        '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0));
    for (; count >= 24; bytes += 24, count -= 24, text += 32) {
        const __m256i loaded = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)bytes)),
            _mm_loadu_si128((const __m128i *)(bytes + 8)), 1);
        const __m256i word = _mm256_shuffle_epi8(loaded, spread);
        // Multiplying by a power of two shifts each 16-bit half by its own amount.
        const __m256i first_third = _mm256_mulhi_epu16(
            _mm256_and_si256(word, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
        const __m256i second_fourth = _mm256_mullo_epi16(
            _mm256_and_si256(word, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
        const __m256i value = _mm256_or_si256(first_third, second_fourth);
        const __m256i capital = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), value);
        const __m256i class = _mm256_or_si256(_mm256_subs_epu8(value, _mm256_set1_epi8(51)),
                                              _mm256_and_si256(capital, _mm256_set1_epi8(13)));
        _mm256_storeu_si256((__m256i *)text,
                            _mm256_add_epi8(value, _mm256_shuffle_epi8(to_character, class)));
    }
    nt_base64_encode_portable(bytes, count, text);
}
#endif
