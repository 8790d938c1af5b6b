// The loops of the code kernels on vectors narrower than a cache line, written once; each instruction set includes
// them after defining its vector.
//
// An including file defines, besides NT_VARIANT and NT_TARGET (see codes_variants.h):
//   vec, NT_WIDTH           a vector of bytes and how many they are (16 or 32)
//   sums                    a vector of as many bytes in 32-bit lanes
//   NT_PAIR_ROWS            rows multiplied with four others at once, and
//   NT_COLUMN_SUMS          sums of a projection held at once: what its registers hold
//   vec_load(p) vec_repeat(four) vec_and(a, b) vec_shift(v, bits)
//                           `vec_repeat` takes four bytes as one number; `vec_shift` is to the right, and what comes in
//                           from above is not defined
//   vec_values(row)         the values of a row's bytes
//   vec_factor(row)         the same with NT_BIAS added: 128 where one side of a product has no sign, else 0
//   vec_dot(s, factor, v)   adds to each lane of s the products of its four bytes, exactly
//   few, few_zero() few_dot(f, factor, v) few_add(a, b) few_sums(f)
//                           the same for the values of one line, whose sums stay below 2^14: `few` may be narrower than `sums`
//   sums_zero() sums_add(a, b) sums_store(p, s)
//   sums_fold(s, out)       out[i] = sum of the lanes of s[i], for four
//   near_lanes(dots, norms, limit)
//                           a bit for each of NT_WIDTH / 4 lanes with norm - 2 * dot <= limit
//   lanes_within(d, last)   a bit for each of NT_WIDTH / 4 floats that are at most `last`
//   insert                  see codes_pool.h
#include "codes_pool.h"
#include "codes_variants.h"
#include <string.h>

#define NT_PARTS (64 / NT_WIDTH)
#define NT_UNROLLED _Pragma("clang loop unroll(full)")

#define NT_JOIN_(a, b) a##b
#define NT_JOIN(a, b) NT_JOIN_(a, b)
#define NT_NAME(name) NT_JOIN(name, NT_VARIANT)

// The rows of one call: consecutive, or with `ids` those named.
struct row_list {
    const uint8_t *start;
    size_t stride, count;
    const uint32_t *ids;
};

// Rows from i on, four. A last group that is not full repeats its last row.
NT_INLINE void four_rows(const struct row_list *rows, size_t i, const uint8_t *four[4]) {
    for (size_t r = 0; r < 4; r++) {
        const size_t place = i + r < rows->count ? i + r : rows->count - 1;
        four[r] = rows->start + (rows->ids ? rows->ids[place] : place) * rows->stride;
    }
}

NT_INLINE void store_less(int32_t *out, const int32_t four[4], int32_t bias, size_t count) {
    if (count >= 4) {
        for (size_t i = 0; i < 4; i++) out[i] = four[i] - bias;
    } else {
        for (size_t i = 0; i < count; i++) out[i] = four[i] - bias;
    }
}

// A sum for each part of a cache line: four alone would wait for each other.
NT_INLINE void dot_four(const int8_t *query, const uint8_t *const rows[4], size_t stride, int32_t dots[4]) {
    sums parts[4][NT_PARTS], totals[4];
    NT_UNROLLED for (int i = 0; i < 4 * NT_PARTS; i++) parts[i / NT_PARTS][i % NT_PARTS] = sums_zero();
    for (size_t at = 0; at < stride; at += NT_LINE_BYTES) {
        NT_UNROLLED for (int p = 0; p < NT_PARTS; p++) {
            const size_t place = at + (size_t)p * NT_WIDTH;
            const vec values = vec_load(query + place);
            NT_UNROLLED for (int r = 0; r < 4; r++)
                parts[r][p] = vec_dot(parts[r][p], vec_factor(vec_load(rows[r] + place)), values);
        }
    }
    NT_UNROLLED for (int r = 0; r < 4; r++) {
        totals[r] = parts[r][0];
        NT_UNROLLED for (int p = 1; p < NT_PARTS; p++) totals[r] = sums_add(totals[r], parts[r][p]);
    }
    sums_fold(totals, dots);
}

NT_INLINE void dot_list(const int8_t *query, int32_t query_sum, struct row_list rows, int32_t *dots) {
    for (size_t i = 0; i < rows.count; i += 4) {
        const uint8_t *four[4];
        int32_t folded[4];
        four_rows(&rows, i, four);
        dot_four(query, four, rows.stride, folded);
        store_less(dots + i, folded, NT_BIAS * query_sum, rows.count - i);
    }
}

NT_TARGET void NT_NAME(nt_dot_codes_)(const int8_t *query, int32_t query_sum, const uint8_t *rows, size_t stride,
                                      const uint32_t *ids, size_t count, int32_t *dots) {
    if (count > 0) dot_list(query, query_sum, (struct row_list){rows, stride, count, ids}, dots);
}

NT_TARGET void NT_NAME(nt_dot_code_rows_)(const int8_t *query, int32_t query_sum, const uint8_t *rows, size_t stride,
                                          size_t count, int32_t *dots) {
    dot_list(query, query_sum, (struct row_list){rows, stride, count, NULL}, dots);
}

// NT_PAIR_ROWS rows with four.
NT_INLINE void dot_tile(const uint8_t *const as[NT_PAIR_ROWS], const uint8_t *const bs[4], size_t stride,
                        int32_t dots[NT_PAIR_ROWS][4]) {
    sums tile[NT_PAIR_ROWS][4];
    NT_UNROLLED for (int i = 0; i < 4 * NT_PAIR_ROWS; i++) tile[i / 4][i % 4] = sums_zero();
    for (size_t at = 0; at < stride; at += NT_WIDTH) {
        vec values[NT_PAIR_ROWS];
        NT_UNROLLED for (int i = 0; i < NT_PAIR_ROWS; i++) values[i] = vec_values(vec_load(as[i] + at));
        NT_UNROLLED for (int k = 0; k < 4; k++) {
            const vec factor = vec_factor(vec_load(bs[k] + at));
            NT_UNROLLED for (int i = 0; i < NT_PAIR_ROWS; i++) tile[i][k] = vec_dot(tile[i][k], factor, values[i]);
        }
    }
    NT_UNROLLED for (int i = 0; i < NT_PAIR_ROWS; i++) sums_fold(tile[i], dots[i]);
}

NT_TARGET void NT_NAME(nt_dot_pairs_)(const uint8_t *a, const int32_t *a_sums, size_t a_count, const uint8_t *b,
                                      size_t b_count, size_t stride, int32_t *dots, size_t dots_stride) {
    const struct row_list others = {b, stride, b_count, NULL};
    for (size_t first = 0; first < a_count; first += NT_PAIR_ROWS) {
        const size_t there = a_count - first < NT_PAIR_ROWS ? a_count - first : NT_PAIR_ROWS;
        const uint8_t *as[NT_PAIR_ROWS], *bs[4];
        for (size_t i = 0; i < NT_PAIR_ROWS; i++) as[i] = a + (first + (i < there ? i : there - 1)) * stride;
        for (size_t j = 0; j < b_count; j += 4) {
            int32_t folded[NT_PAIR_ROWS][4];
            four_rows(&others, j, bs);
            dot_tile(as, bs, stride, folded);
            for (size_t i = 0; i < there; i++)
                store_less(dots + (first + i) * dots_stride + j, folded[i], NT_BIAS * a_sums[first + i], b_count - j);
        }
    }
}

NT_TARGET size_t NT_NAME(nt_select_near_)(const int32_t *dots, const int32_t *norms, size_t count, int32_t limit,
                                          uint32_t *indices, int32_t *distances) {
    enum { LANES = NT_WIDTH / 4 };
    size_t found = 0, j = 0;
    // Few are near: a whole vector of others is passed over at once.
    for (; j + LANES <= count; j += LANES) {
        for (unsigned near = near_lanes(dots + j, norms + j, limit); near; near &= near - 1) {
            const size_t place = j + (size_t)__builtin_ctz(near);
            indices[found] = (uint32_t)place;
            distances[found++] = norms[place] - 2 * dots[place];
        }
    }
    for (; j < count; j++) {
        const int32_t distance = norms[j] - 2 * dots[j];
        if (distance > limit) continue;
        indices[found] = (uint32_t)j;
        distances[found++] = distance;
    }
    return found;
}

// By byte of a line: the bits of one of its values. Those of the floats have no weight.
static const uint8_t value_bits[NT_LINE_BYTES] = {
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
    3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3,  3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
};

NT_INLINE sums weigh_line(const nt_line_query *query, const uint8_t *line) {
    few x = few_zero(), y = few_zero();
    NT_UNROLLED for (int p = 0; p < NT_PARTS; p++) {
        const int at = p * NT_WIDTH;
        const vec v = vec_load(line + at), low = vec_load(value_bits + at), pair = vec_repeat(0x03030303);
        x = few_dot(x, vec_and(v, low), vec_load(query->planes[0] + at));
        y = few_dot(y, vec_and(vec_shift(v, 4), low), vec_load(query->planes[1] + at));
        if (at + NT_WIDTH <= (int)NT_LINE_WIDE_BYTES) continue;  // these planes are zero there
        x = few_dot(x, vec_and(vec_shift(v, 2), pair), vec_load(query->planes[2] + at));
        y = few_dot(y, vec_and(vec_shift(v, 6), pair), vec_load(query->planes[3] + at));
    }
    return few_sums(few_add(x, y));
}

NT_INLINE void score_list(const nt_line_query *lent, struct row_list lines, float *estimates) {
    // A copy, of which the compiler knows that writing estimates leaves it alone: its planes then stay in registers.
    const nt_line_query query = *lent;
    for (size_t i = 0; i < lines.count; i += 4) {
        const uint8_t *four[4];
        sums weighed[4];
        int32_t folded[4];
        float scores[4];
        four_rows(&lines, i, four);
        NT_UNROLLED for (int r = 0; r < 4; r++) weighed[r] = weigh_line(&query, four[r]);
        sums_fold(weighed, folded);
        NT_UNROLLED for (int r = 0; r < 4; r++) {
            float ends[2];
            memcpy(ends, four[r] + NT_LINE_VALUE_BYTES, sizeof ends);
            scores[r] = __builtin_fmaf(((float)folded[r] - query.bias) * query.scale, ends[1], ends[0]);
        }
        const size_t there = lines.count - i < 4 ? lines.count - i : 4;
        for (size_t r = 0; r < there; r++) estimates[i + r] = scores[r];
    }
}

NT_TARGET void NT_NAME(nt_score_lines_)(const nt_line_query *query, const uint8_t *lines, const uint32_t *ids,
                                        size_t count, float *estimates) {
    if (count > 0) score_list(query, (struct row_list){lines, NT_LINE_BYTES, count, ids}, estimates);
}

NT_TARGET void NT_NAME(nt_score_line_rows_)(const nt_line_query *query, const uint8_t *lines, size_t count,
                                            float *estimates) {
    score_list(query, (struct row_list){lines, NT_LINE_BYTES, count, NULL}, estimates);
}

NT_TARGET void NT_NAME(nt_offer_)(nt_pool *pool, const uint32_t *ids, const float *distances, size_t count,
                                  const uint32_t *links, size_t degree) {
    // A scan's rows are mostly too far once the pool is full: a vector of them is passed over by one comparison.
    enum { LANES = NT_WIDTH / 4 };
    size_t done = 0;
    for (; links == NULL && done + LANES <= count && pool->count == pool->capacity; done += LANES) {
        unsigned near = lanes_within(distances + done, nt_candidate_distance(pool->keys[pool->count - 1]));
        for (; near; near &= near - 1) {
            const size_t i = done + (size_t)__builtin_ctz(near);
            nt_offer(pool, ids + i, distances + i, 1, NULL, 0, insert);
        }
    }
    nt_offer(pool, ids + done, distances + done, count - done, links, degree, insert);
}

NT_TARGET void NT_NAME(nt_project_)(const int8_t *query, size_t groups, const int8_t *blocks,
                                    const int32_t *column_sums, int32_t *projections) {
    enum { LANES = NT_WIDTH / 4, COLUMNS = NT_COLUMN_SUMS * LANES };
    _Static_assert(NT_LINE_VALUES % COLUMNS == 0, "columns are taken in equal passes");
    for (size_t first = 0; first < NT_LINE_VALUES; first += COLUMNS) {
        sums totals[NT_COLUMN_SUMS];
        NT_UNROLLED for (int c = 0; c < NT_COLUMN_SUMS; c++) totals[c] = sums_zero();
        for (size_t g = 0; g < groups; g++) {
            uint32_t four;
            memcpy(&four, query + 4 * g, sizeof four);
            // A query's bytes with 128 added are a row's.
            const vec factor = vec_factor(vec_repeat(four ^ 0x80808080u));
            const int8_t *weights = blocks + (g * NT_LINE_VALUES + first) * 4;
            NT_UNROLLED for (int c = 0; c < NT_COLUMN_SUMS; c++)
                totals[c] = vec_dot(totals[c], factor, vec_load(weights + c * NT_WIDTH));
        }
        NT_UNROLLED for (int c = 0; c < NT_COLUMN_SUMS; c++) sums_store(projections + first + c * LANES, totals[c]);
    }
    for (size_t c = 0; c < NT_LINE_VALUES; c++) projections[c] -= NT_BIAS * column_sums[c];
}

// These two are plain loops that the compiler makes vectors of.

NT_TARGET float NT_NAME(nt_centre_)(const float *x, const float *centre, size_t dim, float *out) {
    // Magnitudes are ordered as their bits are, and of integers the greatest may be found in any order.
    uint32_t greatest = 0;
    for (size_t j = 0; j < dim; j++) {
        const float difference = x[j] - centre[j], magnitude = __builtin_fabsf(difference);
        uint32_t bits;
        memcpy(&bits, &magnitude, sizeof bits);
        greatest = bits > greatest ? bits : greatest;
        out[j] = difference;
    }
    float result;
    memcpy(&result, &greatest, sizeof result);
    return result;
}

NT_TARGET int32_t NT_NAME(nt_quantise_)(const float *x, float scale, size_t dim, int8_t *out) {
    int32_t sum = 0;
    for (size_t j = 0; j < dim; j++) {
        const float scaled = x[j] * scale, held = scaled < -128 ? -128 : scaled > 127 ? 127 : scaled;
        const int32_t value = (int32_t)__builtin_rintf(held);
        out[j] = (int8_t)value;
        sum += value;
    }
    return sum;
}

NT_TARGET void NT_NAME(nt_sum_codes_)(const uint8_t *row, size_t dim, int32_t result[2]) {
    sums totals[4] = {sums_zero(), sums_zero(), sums_zero(), sums_zero()};
    int32_t folded[4];
    size_t j = 0;
    for (; j + NT_WIDTH <= dim; j += NT_WIDTH) {
        const vec codes = vec_load(row + j), values = vec_values(codes);
        totals[0] = vec_dot(totals[0], vec_repeat(0x01010101), values);
        totals[1] = vec_dot(totals[1], vec_factor(codes), values);
    }
    sums_fold(totals, folded);
    int32_t sum = folded[0], squares = folded[1] - NT_BIAS * folded[0];
    for (; j < dim; j++) {
        const int32_t value = (int32_t)row[j] - 128;
        sum += value;
        squares += value * value;
    }
    result[0] = sum;
    result[1] = squares;
}
