// The kernels: small C functions whose speed depends on the instruction set, each chosen once at start.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CCodes.h"

/// Scores `count` rows against one query. Row i starts at `rows + i * stride`, has `dim` elements, and its
/// score goes to `out[i]`. Any `dim` >= 1; nothing past the last element of a row is read. Any alignment, but
/// rows that start and end on 64-byte lines are 1.8 times as fast in cache on AVX-512 (1.3 on AVX2).
typedef void nt_score_rows(const float *query, const float *rows, size_t stride, size_t dim,
                           size_t count, float *out);

/// The same for the rows `indices` names: the score of row `indices[i]` goes to `out[i]`. A pair gets the
/// same bytes here as from `nt_score_rows`.
typedef void nt_score_gather(const float *query, const float *rows, size_t stride, size_t dim,
                             const uint32_t *indices, size_t count, float *out);

/// What one instruction set does. Pointers may be null where their count is 0; buffers must not overlap.
///
/// Scores are summed in one order, whatever the vector width: 32 lanes (element i goes to lane i mod 32,
/// in ascending order, with one rounding per fused multiply-add), folded by halves: 16 + 16, 8 + 8, down
/// to 1 + 1. So every variant with fused multiply-add gives the same bytes for a pair (a NaN's payload
/// aside), and which of them runs here never shows in an answer. "portable" rounds product and sum apart
/// where the compiler's target has no fused multiply-add; its error bound is the same.
typedef struct {
    /// "portable", "avx2", "avx512", "avx512vbmi" or "neon".
    const char *name;

    /// Sum of query[j] * row[j].
    nt_score_rows *dot_rows;
    nt_score_gather *dot_gather;

    /// Sum of (query[j] - row[j])^2: squared Euclidean distance.
    nt_score_rows *l2_rows;
    nt_score_gather *l2_gather;

    /// Sum of x[j]^2 for `dim` elements, accumulated in double (also in 32 lanes, the same bytes everywhere).
    double (*sum_squares)(const float *x, size_t dim);

    /// Whether no element is a NaN or infinite.
    bool (*all_finite_f32)(const float *x, size_t count);

    /// The greatest of `count` indices, 0 where there are none: one comparison then bounds them all.
    uint32_t (*max_index)(const uint32_t *indices, size_t count);

    /// Decodes base64 (RFC 4648: standard alphabet, padded, trailing bits zero, no white space) of exactly
    /// `count` little-endian floats. Returns 0, or the offset + 1 of the first byte that does not fit, or
    /// NT_BASE64_TOO_SHORT or NT_BASE64_TOO_LONG where `text_count` is not the length of such a text.
    /// On 0, `finite` tells whether no float is a NaN or infinite; otherwise the floats mean nothing.
    ptrdiff_t (*base64_decode_f32)(const uint8_t *text, size_t text_count, float *out, size_t count,
                                   bool *finite);

    /// Writes the padded base64 of `count` bytes to `text`: 4 * ceil(count / 3) characters, and no zero byte.
    void (*base64_encode)(const uint8_t *bytes, size_t count, uint8_t *text);
} nt_kernels;

enum {
    NT_BASE64_TOO_SHORT = -1,
    NT_BASE64_TOO_LONG = -2,
};

/// The i-th variant this processor can run, narrowest first; null past the last. There is always one.
const nt_kernels *nt_kernels_at(size_t i);

/// The fastest of them here, by a measurement of a few hundred microseconds at the first call; of equals,
/// the widest. Any thread may call at any time.
const nt_kernels *nt_kernels_best(void);

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `count` bytes, continuing from `crc`.
/// Start from 0; feeding two halves in turn gives the checksum of the whole.
uint32_t nt_crc32c(uint32_t crc, const void *bytes, size_t count);

/// The same in plain C: what runs where the processor has no instruction for it.
uint32_t nt_crc32c_portable(uint32_t crc, const void *bytes, size_t count);

/// Bit i of `words` becomes whether cells[i] has `kind` in its lowest two bits and the grade that the rest of it leads to,
/// grades[min(cells[i] >> 2, last)], is `least` to `most`. Whole words are written; bits from `count` on are 0. `last` is below
/// 2^30, and up to three bytes behind grades[last] are read.
void nt_mark_graded(const uint32_t *cells, size_t count, uint32_t kind, const uint8_t *grades, uint32_t last,
                    uint8_t least, uint8_t most, uint64_t *words);

/// The same in plain C.
void nt_mark_graded_portable(const uint32_t *cells, size_t count, uint32_t kind, const uint8_t *grades, uint32_t last,
                             uint8_t least, uint8_t most, uint64_t *words);

/// Bit i of `words` becomes whether bit i of `mask` and bit numbers[i] of `members` are 1; returns how many are. Numbers are below the
/// number of bits in `members`, which is less than 2^31; `mask` has no bit from `count` on. Whole words of it are read, and written.
size_t nt_mark_members(const uint32_t *numbers, size_t count, const uint64_t *members, const uint64_t *mask,
                       uint64_t *words);

/// The same in plain C.
size_t nt_mark_members_portable(const uint32_t *numbers, size_t count, const uint64_t *members, const uint64_t *mask,
                                uint64_t *words);
