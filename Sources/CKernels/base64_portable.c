// base64 in C alone, and the parts every other variant ends with: odd groups, padding, the place of a fault.
#include "base64.h"

const uint8_t nt_base64_alphabet[64] = {
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
    'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
    'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
    'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/',
};

// Offset by 0x40, so that what is left out here is 0 and the "and" of many entries keeps bit 6 only if all are good.
const uint8_t nt_base64_values[256] = {
    ['A'] = 64,  65,  66,  67,  68,  69,  70,  71,  72,  73,  74,  75,  76,
            77,  78,  79,  80,  81,  82,  83,  84,  85,  86,  87,  88,  89,
    ['a'] = 90,  91,  92,  93,  94,  95,  96,  97,  98,  99,  100, 101, 102,
            103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115,
    ['0'] = 116, 117, 118, 119, 120, 121, 122, 123, 124, 125,
    ['+'] = 126,
    ['/'] = 127,
};

bool nt_base64_decode_groups(const uint8_t *text, size_t groups, uint8_t *bytes) {
    uint32_t good = 0x40;
    for (size_t g = 0; g < groups; g++, text += 4, bytes += 3) {
        const uint32_t a = nt_base64_values[text[0]], b = nt_base64_values[text[1]];
        const uint32_t c = nt_base64_values[text[2]], d = nt_base64_values[text[3]];
        good &= a & b & c & d;
        bytes[0] = (uint8_t)(a << 2 | (b >> 4 & 3));
        bytes[1] = (uint8_t)(b << 4 | (c >> 2 & 15));
        bytes[2] = (uint8_t)(c << 6 | (d & 63));
    }
    return good != 0;
}

bool nt_base64_decode_padded(const uint8_t *text, size_t kept, uint8_t *bytes) {
    const uint32_t a = nt_base64_values[text[0]], b = nt_base64_values[text[1]];
    const uint32_t c = kept == 2 ? nt_base64_values[text[2]] : 0x40;
    bytes[0] = (uint8_t)(a << 2 | (b >> 4 & 3));
    if (kept == 2) bytes[1] = (uint8_t)(b << 4 | (c >> 2 & 15));
    // Bits that fall off the end must be 0, or several texts would mean the same bytes.
    const uint32_t dropped = kept == 2 ? c & 3 : b & 15;
    return (a & b & c & 0x40) && dropped == 0 && (kept == 2 || text[2] == '=') && text[3] == '=';
}

ptrdiff_t nt_base64_fault(const uint8_t *text, size_t byte_count) {
    const size_t kept = byte_count % 3;
    const size_t characters = byte_count / 3 * 4 + (kept > 0 ? kept + 1 : 0);
    for (size_t i = 0; i < characters; i++) {
        const uint32_t value = nt_base64_values[text[i]];
        if (value == 0) return (ptrdiff_t)i + 1;
        if (i + 1 == characters && kept > 0 && (value & (kept == 2 ? 3 : 15)) != 0) return (ptrdiff_t)i + 1;
    }
    return (ptrdiff_t)(text[characters] == '=' ? characters + 2 : characters + 1);
}

static size_t no_middle(const uint8_t *text, size_t groups, uint8_t *bytes, bool *good) {
    (void)text, (void)groups, (void)bytes, (void)good;
    return 0;
}

ptrdiff_t nt_base64_decode_portable(const uint8_t *text, size_t text_count, float *out, size_t count, bool *finite) {
    return base64_decode_f32(text, text_count, out, count, finite, no_middle, nt_all_finite_portable);
}

void nt_base64_encode_portable(const uint8_t *bytes, size_t count, uint8_t *text) {
    for (; count >= 3; bytes += 3, count -= 3, text += 4) {
        text[0] = nt_base64_alphabet[bytes[0] >> 2];
        text[1] = nt_base64_alphabet[(bytes[0] & 3) << 4 | bytes[1] >> 4];
        text[2] = nt_base64_alphabet[(bytes[1] & 15) << 2 | bytes[2] >> 6];
        text[3] = nt_base64_alphabet[bytes[2] & 63];
    }
    if (count == 0) return;
    const uint8_t second = count == 2 ? bytes[1] : 0;
    text[0] = nt_base64_alphabet[bytes[0] >> 2];
    text[1] = nt_base64_alphabet[(bytes[0] & 3) << 4 | second >> 4];
    text[2] = count == 2 ? nt_base64_alphabet[(second & 15) << 2] : '=';
    text[3] = '=';
}
