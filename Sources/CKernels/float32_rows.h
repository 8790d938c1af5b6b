// The loops of the float32 kernels, written once; each instruction set includes them after defining its vector.
//
// An including file defines:
//   NT_VARIANT              suffix of the functions' names
//   NT_TARGET               target attribute, or nothing
//   NT_ROWS                 most rows scored at once: what its registers hold
//   vec, NT_WIDTH           a vector of float and its lanes (4, 8 or 16)
//   vec_zero() vec_load(p) vec_load_first(p, n) vec_add(a, b) vec_sub(a, b) vec_fma(a, b, sum)
//   vec_sum(v)              folded by halves to one float
// `vec_load_first` reads n (0 < n < NT_WIDTH) elements and nothing behind them; the other lanes are 0.
#include "variants.h"
#include <string.h>

// The lanes of the summation order that CKernels.h promises. 32 are two AVX-512 registers a row, so eight rows
// at once use 16 and load 9 for every 8 multiply-adds: in cache 7.4 ns a row of 768 dimensions, against 9.4
// with four rows at once and 18 with one. On AVX2, 16 lanes and four rows at once were no faster than this.
#define NT_LANES 32
#define NT_PARTS (NT_LANES / NT_WIDTH)

#define NT_JOIN_(a, b) a##b
#define NT_JOIN(a, b) NT_JOIN_(a, b)
#define NT_NAME(name) NT_JOIN(name, NT_VARIANT)
#define NT_INLINE NT_TARGET static inline __attribute__((always_inline))

enum metric { METRIC_DOT, METRIC_L2 };

NT_INLINE vec accumulate(enum metric metric, vec query, vec row, vec sum) {
    if (metric == METRIC_DOT) return vec_fma(query, row, sum);
    const vec difference = vec_sub(query, row);
    return vec_fma(difference, difference, sum);
}

// Scores `count` rows, a constant at every call, so that the sums live in registers.
NT_INLINE void score_block(enum metric metric, const float *query, const float *const *rows, int count,
                           size_t dim, float *out) {
    vec sums[NT_ROWS][NT_PARTS];
    for (int r = 0; r < count; r++)
        for (int p = 0; p < NT_PARTS; p++) sums[r][p] = vec_zero();

    size_t j = 0;
    for (; j + NT_LANES <= dim; j += NT_LANES) {
        for (int p = 0; p < NT_PARTS; p++) {
            const vec lane = vec_load(query + j + p * NT_WIDTH);
            for (int r = 0; r < count; r++)
                sums[r][p] = accumulate(metric, lane, vec_load(rows[r] + j + p * NT_WIDTH), sums[r][p]);
        }
    }
    for (int p = 0; p < NT_PARTS && j < dim; p++, j += NT_WIDTH) {
        const size_t left = dim - j;
        if (left >= NT_WIDTH) {
            const vec lane = vec_load(query + j);
            for (int r = 0; r < count; r++)
                sums[r][p] = accumulate(metric, lane, vec_load(rows[r] + j), sums[r][p]);
        } else {
            const vec lane = vec_load_first(query + j, left);
            for (int r = 0; r < count; r++)
                sums[r][p] = accumulate(metric, lane, vec_load_first(rows[r] + j, left), sums[r][p]);
        }
    }

    for (int r = 0; r < count; r++) {
        for (int half = NT_PARTS / 2; half > 0; half /= 2)
            for (int p = 0; p < half; p++) sums[r][p] = vec_add(sums[r][p], sums[r][p + half]);
        // Adding 0 makes -0 into 0: widths differ in which lanes a tail leaves untouched, so in sign alone.
        out[r] = vec_sum(sums[r][0]) + 0.0f;
    }
}

// The rows of one call: every row from `start` on, or with `gather` (a constant too) those named by `indices`.
struct row_list {
    const float *start;
    size_t stride;
    size_t count;
    bool gather;
    const uint32_t *indices;
};

NT_INLINE const float *row_at(const struct row_list *rows, size_t i) {
    return rows->start + (rows->gather ? rows->indices[i] : i) * rows->stride;
}

// Scores rows in blocks of `block` from i on, and returns where the rest begins.
NT_INLINE size_t score_blocks(enum metric metric, const float *query, struct row_list rows, size_t i, int block,
                              size_t dim, float *out) {
    for (; i + block <= rows.count; i += block) {
        // The first two lines of each row to come; the processor's own prefetcher follows from there. Beyond
        // cache 17 -> 19 GB/s at 384 dimensions and 24 -> 26 at 768, for 2 to 4 % in cache. Asking for every
        // line gained no more and cost 40 % in cache.
        for (size_t next = i + block; rows.gather && next < i + 2 * block && next < rows.count; next++) {
            __builtin_prefetch(row_at(&rows, next));
            if (dim > 16) __builtin_prefetch(row_at(&rows, next) + 16);
        }
        const float *starts[NT_ROWS];
        for (int r = 0; r < block; r++) starts[r] = row_at(&rows, i + r);
        score_block(metric, query, starts, block, dim, out + i);
    }
    return i;
}

NT_INLINE void score(enum metric metric, const float *query, struct row_list rows, size_t dim, float *out) {
    size_t i = 0;
    if (NT_ROWS >= 8) i = score_blocks(metric, query, rows, i, 8, dim, out);
    if (NT_ROWS >= 4) i = score_blocks(metric, query, rows, i, 4, dim, out);
    if (NT_ROWS == 3) i = score_blocks(metric, query, rows, i, 3, dim, out);
    if (NT_ROWS >= 2) i = score_blocks(metric, query, rows, i, 2, dim, out);
    score_blocks(metric, query, rows, i, 1, dim, out);
}

NT_TARGET void NT_NAME(nt_dot_rows_)(const float *query, const float *rows, size_t stride, size_t dim,
                                     size_t count, float *out) {
    score(METRIC_DOT, query, (struct row_list){rows, stride, count, false, NULL}, dim, out);
}

NT_TARGET void NT_NAME(nt_dot_gather_)(const float *query, const float *rows, size_t stride, size_t dim,
                                       const uint32_t *indices, size_t count, float *out) {
    score(METRIC_DOT, query, (struct row_list){rows, stride, count, true, indices}, dim, out);
}

NT_TARGET void NT_NAME(nt_l2_rows_)(const float *query, const float *rows, size_t stride, size_t dim,
                                    size_t count, float *out) {
    score(METRIC_L2, query, (struct row_list){rows, stride, count, false, NULL}, dim, out);
}

NT_TARGET void NT_NAME(nt_l2_gather_)(const float *query, const float *rows, size_t stride, size_t dim,
                                      const uint32_t *indices, size_t count, float *out) {
    score(METRIC_L2, query, (struct row_list){rows, stride, count, true, indices}, dim, out);
}

// The functions below name no instruction: the compiler widens them to what NT_TARGET allows.

typedef float float_lanes __attribute__((vector_size(4 * NT_LANES)));
typedef double double_lanes __attribute__((vector_size(8 * NT_LANES)));

NT_TARGET double NT_NAME(nt_sum_squares_)(const float *x, size_t dim) {
    double_lanes sums = {0};
    for (size_t j = 0; j < dim; j += NT_LANES) {
        float_lanes narrow = {0};
        const size_t left = dim - j;
        if (left >= NT_LANES) memcpy(&narrow, x + j, sizeof narrow);
        else memcpy(&narrow, x + j, left * sizeof *x);
        // A float's square is exact in double, so fused or not gives the same bytes.
        const double_lanes wide = __builtin_convertvector(narrow, double_lanes);
        sums += wide * wide;
    }
    for (int half = NT_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) sums[l] += sums[l + half];
    return sums[0];
}

NT_TARGET bool NT_NAME(nt_all_finite_)(const float *x, size_t count) {
    // An exponent of all ones is a NaN or infinite; without the sign bit those are the largest patterns.
    uint32_t largest = 0;
    for (size_t j = 0; j < count; j++) {
        uint32_t bits;
        memcpy(&bits, x + j, sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    return largest < 0x7f800000;
}

NT_TARGET uint32_t NT_NAME(nt_max_index_)(const uint32_t *indices, size_t count) {
    uint32_t largest = 0;
    for (size_t j = 0; j < count; j++) largest = indices[j] > largest ? indices[j] : largest;
    return largest;
}
