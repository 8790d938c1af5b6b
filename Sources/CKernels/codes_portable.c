// Code kernels in plain C: what every processor runs, and what the others are compared with.
#include "codes_pool.h"
#include "codes_plain.h"
#include "codes_variants.h"
#include <math.h>
#include <string.h>

static int32_t dot_row(const int8_t *query, int32_t query_sum, const uint8_t *row, size_t stride) {
    int32_t sum = 0;
    for (size_t j = 0; j < stride; j++) sum += query[j] * (int32_t)row[j];
    return sum - 128 * query_sum;
}

void nt_dot_codes_portable(const int8_t *query, int32_t query_sum, const uint8_t *rows, size_t stride,
                           const uint32_t *ids, size_t count, int32_t *dots) {
    for (size_t i = 0; i < count; i++) dots[i] = dot_row(query, query_sum, rows + ids[i] * stride, stride);
}

void nt_dot_code_rows_portable(const int8_t *query, int32_t query_sum, const uint8_t *rows, size_t stride,
                               size_t count, int32_t *dots) {
    for (size_t i = 0; i < count; i++) dots[i] = dot_row(query, query_sum, rows + i * stride, stride);
}

void nt_dot_pairs_portable(const uint8_t *a, const int32_t *a_sums, size_t a_count, const uint8_t *b, size_t b_count,
                           size_t stride, int32_t *dots, size_t dots_stride) {
    for (size_t i = 0; i < a_count; i++) {
        for (size_t j = 0; j < b_count; j++) {
            int32_t sum = 0;
            for (size_t k = 0; k < stride; k++) sum += ((int32_t)a[i * stride + k] - 128) * (int32_t)b[j * stride + k];
            dots[i * dots_stride + j] = sum - 128 * a_sums[i];
        }
    }
}

size_t nt_select_near_portable(const int32_t *dots, const int32_t *norms, size_t count, int32_t limit,
                               uint32_t *indices, int32_t *distances) {
    size_t found = 0;
    for (size_t j = 0; j < count; j++) {
        const int32_t distance = norms[j] - 2 * dots[j];
        indices[found] = (uint32_t)j;
        distances[found] = distance;
        found += distance <= limit;
    }
    return found;
}

static float score_line(const nt_line_query *query, const uint8_t *line) {
    int32_t sum = 0;
    for (size_t b = 0; b < NT_LINE_VALUE_BYTES; b++) {
        if (b < NT_LINE_WIDE_BYTES) {
            sum += query->planes[0][b] * (line[b] & 15) + query->planes[1][b] * (line[b] >> 4);
        } else {
            sum += query->planes[0][b] * (line[b] & 3) + query->planes[2][b] * (line[b] >> 2 & 3) +
                   query->planes[1][b] * (line[b] >> 4 & 3) + query->planes[3][b] * (line[b] >> 6);
        }
    }
    float ends[2];
    memcpy(ends, line + NT_LINE_VALUE_BYTES, sizeof ends);
    return fmaf(((float)sum - query->bias) * query->scale, ends[1], ends[0]);
}

void nt_score_lines_portable(const nt_line_query *query, const uint8_t *lines, const uint32_t *ids, size_t count,
                             float *estimates) {
    for (size_t i = 0; i < count; i++) estimates[i] = score_line(query, lines + (size_t)ids[i] * NT_LINE_BYTES);
}

void nt_score_line_rows_portable(const nt_line_query *query, const uint8_t *lines, size_t count, float *estimates) {
    for (size_t i = 0; i < count; i++) estimates[i] = score_line(query, lines + i * NT_LINE_BYTES);
}

void nt_offer_portable(nt_pool *pool, const uint32_t *ids, const float *distances, size_t count, const uint32_t *links,
                       size_t degree) {
    nt_offer(pool, ids, distances, count, links, degree, nt_insert_backwards);
}

void nt_project_portable(const int8_t *query, size_t groups, const int8_t *blocks, const int32_t *column_sums,
                         int32_t *projections) {
    (void)column_sums;
    memset(projections, 0, NT_LINE_VALUES * sizeof *projections);
    for (size_t g = 0; g < groups; g++) {
        for (size_t c = 0; c < NT_LINE_VALUES; c++) {
            const int8_t *weights = blocks + (g * NT_LINE_VALUES + c) * 4;
            for (size_t i = 0; i < 4; i++) projections[c] += query[4 * g + i] * weights[i];
        }
    }
}

float nt_centre_portable(const float *x, const float *centre, size_t dim, float *out) {
    float greatest = 0;
    for (size_t j = 0; j < dim; j++) {
        out[j] = x[j] - centre[j];
        greatest = fmaxf(greatest, fabsf(out[j]));
    }
    return greatest;
}

int32_t nt_quantise_portable(const float *x, float scale, size_t dim, int8_t *out) {
    int32_t sum = 0;
    for (size_t j = 0; j < dim; j++) {
        out[j] = (int8_t)fmaxf(-128, fminf(127, rintf(x[j] * scale)));
        sum += out[j];
    }
    return sum;
}

void nt_sum_codes_portable(const uint8_t *row, size_t dim, int32_t sums[2]) {
    sums[0] = sums[1] = 0;
    for (size_t j = 0; j < dim; j++) {
        const int32_t value = (int32_t)row[j] - 128;
        sums[0] += value;
        sums[1] += value * value;
    }
}

NT_PLAIN_KERNELS(, portable)
