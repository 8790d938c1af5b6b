// The frame of base64 decoding, shared by the instruction sets: each brings only its fast middle.
#pragma once
#include "variants.h"

/// For each byte that is a character of the alphabet, 0x40 + its value; 0 for every other.
extern const uint8_t nt_base64_values[256];
extern const uint8_t nt_base64_alphabet[64];

/// Decodes `groups` of four characters to three bytes each; false where a character is not of the alphabet.
bool nt_base64_decode_groups(const uint8_t *text, size_t groups, uint8_t *bytes);

/// Decodes the group that ends in '=' into its first `kept` (1 or 2) bytes; false unless exactly that.
bool nt_base64_decode_padded(const uint8_t *text, size_t kept, uint8_t *bytes);

/// The offset + 1 of the first byte that keeps `text` from being the base64 of `byte_count` bytes.
ptrdiff_t nt_base64_fault(const uint8_t *text, size_t byte_count);

/// Decodes as many groups as it likes from the front and returns how many, clearing `good` on a bad character.
typedef size_t base64_middle(const uint8_t *text, size_t groups, uint8_t *bytes, bool *good);

static inline __attribute__((always_inline)) ptrdiff_t base64_decode_f32(
    const uint8_t *text, size_t text_count, float *out, size_t count, bool *finite,
    base64_middle middle, bool all_finite(const float *, size_t)) {
    const size_t byte_count = count * sizeof *out;
    const size_t groups = byte_count / 3, kept = byte_count % 3;
    const size_t text_expected = 4 * (groups + (kept > 0));
    if (text_count != text_expected)
        return text_count < text_expected ? NT_BASE64_TOO_SHORT : NT_BASE64_TOO_LONG;

    // Nothing stops early at a bad character: texts are good, and a branch per block would cost all of them.
    uint8_t *bytes = (uint8_t *)out;
    bool good = true;
    const size_t done = middle(text, groups, bytes, &good);
    good &= nt_base64_decode_groups(text + 4 * done, groups - done, bytes + 3 * done);
    if (kept > 0) good &= nt_base64_decode_padded(text + 4 * groups, kept, bytes + 3 * groups);
    if (!good) return nt_base64_fault(text, byte_count);
    *finite = all_finite(out, count);
    return 0;
}
