// Kernels over quantised vectors: rows of 8-bit codes, 64-byte lines, and what prepares a query for both.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A row of codes is `stride` bytes, a multiple of 64: byte j is value j (-128...127) with 128 added. The query has
// as many signed bytes, zero where the row holds no value; what a row keeps there (a norm, padding) then counts for
// nothing. All sums are exact in 32 bits: at most 2^16 values a row.

enum {
    NT_LINE_BYTES = 64,
    /// A line's values: bytes 0...15 hold two of 4 bits each, bytes 16...55 four of 2 bits each; then two floats.
    NT_LINE_WIDE_BYTES = 16,
    NT_LINE_VALUE_BYTES = 56,
    NT_LINE_VALUES = 192,
    /// Candidates offered to a pool at a time.
    NT_POOL_BATCH_MAX = 64,
    NT_POOL_MARK = 1,
    /// Ends a list of links that is not full.
    NT_NO_LINK = 0xffffffffu,
};

/// A query against lines. planes[p][b] weighs the value that byte b holds at bits 4p mod 8 (p = 0, 1) or, of
/// the 2-bit bytes, at bits 0, 4, 2, 6 (p = 0...3); planes 2 and 3 are zero for the 4-bit bytes, all are beyond byte 55.
typedef struct {
    int8_t planes[4][NT_LINE_BYTES];
    /// The estimate of a line is add + factor * scale * (sum of weighted values - bias), where `add` and `factor`
    /// are the line's two floats.
    float scale, bias;
} nt_line_query;

/// The best candidates so far, least key first. A key is a distance's order-preserving image in the upper 32 bits, below it a
/// number, and in the last bit a mark (followed), which never changes the order as long as no number is offered twice. `keys`
/// has room for 8 more than `capacity`. No key before `next` is unmarked.
typedef struct {
    uint64_t *keys;
    size_t capacity, count, next;
} nt_pool;

/// What one instruction set does with codes. Integer results are the same on all; estimates of lines too, to the
/// last bit, where there is fused multiply-add.
typedef struct {
    /// "portable", "avx2", "avx2vnni", "avx512vnni" or "neon".
    const char *name;

    /// dots[i] = sum over j of query[j] * (value j of row ids[i]), where `query_sum` is the sum of the query.
    void (*dot_codes)(const int8_t *query, int32_t query_sum, const uint8_t *rows, size_t stride, const uint32_t *ids,
                      size_t count, int32_t *dots);
    /// The same for consecutive rows.
    void (*dot_code_rows)(const int8_t *query, int32_t query_sum, const uint8_t *rows, size_t stride, size_t count,
                          int32_t *dots);
    /// Dot products of `a_count` (1...4) rows from `a` on with `b_count` rows from `b` on, values with values:
    /// dots[i * dots_stride + j]. `a_sums` are the sums of the first rows' values. Every byte of a row counts.
    void (*dot_pairs)(const uint8_t *a, const int32_t *a_sums, size_t a_count, const uint8_t *b, size_t b_count,
                      size_t stride, int32_t *dots, size_t dots_stride);
    /// Those j with norms[j] - 2 * dots[j] <= limit, rising, with that number; returns how many. Both outputs have room
    /// for `count`.
    size_t (*select_near)(const int32_t *dots, const int32_t *norms, size_t count, int32_t limit, uint32_t *indices,
                          int32_t *distances);

    /// estimates[i] of the lines that `ids` names.
    void (*score_lines)(const nt_line_query *query, const uint8_t *lines, const uint32_t *ids, size_t count,
                        float *estimates);
    /// The same for consecutive lines.
    void (*score_line_rows)(const nt_line_query *query, const uint8_t *lines, size_t count, float *estimates);

    /// The pool then has the least of the keys it had and of those offered, as many as it has room for. `count` is at most 64. Where
    /// `links` is not null, asks for the `degree` links of those that will be followed soon.
    void (*offer)(nt_pool *pool, const uint32_t *ids, const float *distances, size_t count, const uint32_t *links,
                  size_t degree);

    /// projections[c] = sum over j of query[j] * weights[j][c] for NT_LINE_VALUES columns. `blocks` has the weights in
    /// groups of four rows: for each group, four bytes a column; `groups` * 4 bytes of query are read.
    /// `column_sums` are the sums of each column.
    void (*project)(const int8_t *query, size_t groups, const int8_t *blocks, const int32_t *column_sums,
                    int32_t *projections);

    /// Makes a query for lines of its projections: values[c] = round(projections[c] * scales[c] * 127 / greatest), where
    /// `greatest`, which is returned, is the greatest magnitude of the products (or the least normal number). `bias` is the
    /// sum of the values, each times twice the middle of its column's levels: 15 where they have 4 bits, 3 where 2.
    float (*weigh)(const int32_t *projections, const float *scales, int8_t *values, int32_t *bias);

    /// Whether every x[j] is step * values[j], exactly.
    bool (*stands_on)(const float *x, const int8_t *values, float step, size_t dim);

    /// out[j] = x[j] - centre[j]; returns the greatest magnitude.
    float (*centre)(const float *x, const float *centre, size_t dim, float *out);
    /// out[j] = round(x[j] * scale), ties to even, held to -128...127; returns the sum. NaN does not occur.
    int32_t (*quantise)(const float *x, float scale, size_t dim, int8_t *out);
    /// sums[0] and sums[1]: sum and sum of squares of a row's `dim` values.
    void (*sum_codes)(const uint8_t *row, size_t dim, int32_t sums[2]);
} nt_code_kernels;

/// The i-th variant this processor can run, narrowest first; null past the last.
const nt_code_kernels *nt_code_kernels_at(size_t i);

/// The fastest of them here, measured at the first call.
const nt_code_kernels *nt_code_kernels_best(void);

/// Asks for the cache lines of so many bytes.
static inline void nt_prefetch(const void *from, size_t bytes) {
    for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)from + at);
}

/// Asks for `bytes` of each of the rows named.
static inline void nt_prefetch_rows(const uint8_t *rows, size_t stride, size_t bytes, const uint32_t *ids, size_t count) {
    for (size_t i = 0; i < count; i++) {
        nt_prefetch(rows + (size_t)ids[i] * stride, bytes);
    }
}

/// Unmarked. Numbers are below 2^31.
static inline uint64_t nt_candidate_key(float distance, uint32_t id) {
    uint32_t bits;
    distance += 0.0f;  // -0 is 0
    __builtin_memcpy(&bits, &distance, sizeof bits);
    bits ^= (uint32_t)((int32_t)bits >> 31) | 0x80000000u;
    return (uint64_t)bits << 32 | (uint64_t)id << 1;
}

static inline size_t nt_candidate_number(uint64_t key) { return (uint32_t)key >> 1; }

/// The distance that a key was made of.
static inline float nt_candidate_distance(uint64_t key) {
    uint32_t bits = (uint32_t)(key >> 32);
    bits = bits & 0x80000000u ? bits ^ 0x80000000u : ~bits;
    float distance;
    __builtin_memcpy(&distance, &bits, sizeof distance);
    return distance;
}

/// Takes the links of a node that were not visited yet, marks them, and asks for `bytes` of each one's row.
/// `unvisited` has room for `degree`. Links are below the bitmap's length, which is the caller's to know.
static inline size_t nt_visit_links(const uint32_t *links, size_t degree, uint32_t *visited, uint32_t *unvisited,
                                    const uint8_t *rows, size_t stride, size_t bytes) {
    size_t count = 0;
    for (size_t i = 0; i < degree; i++) {
        const uint32_t id = links[i];
        if (id == NT_NO_LINK) break;
        const uint32_t bit = 1u << (id & 31), word = visited[id >> 5];
        visited[id >> 5] = word | bit;
        unvisited[count] = id;
        count += (word & bit) == 0;
    }
    nt_prefetch_rows(rows, stride, bytes, unvisited, count);
    return count;
}

/// Asks for the rows of the node that will be visited next, as things stand, while those of another are waited for.
static inline void nt_prefetch_ahead(const nt_pool *pool, const uint32_t *links, size_t degree, const uint8_t *rows, size_t stride,
                                     size_t bytes) {
    size_t next = pool->next;
    while (next < pool->count && pool->keys[next] & NT_POOL_MARK) next++;
    if (next == pool->count) return;
    const uint32_t *linked = links + nt_candidate_number(pool->keys[next]) * degree;
    for (size_t i = 0; i < degree && linked[i] != NT_NO_LINK; i++) nt_prefetch(rows + (size_t)linked[i] * stride, bytes);
}
