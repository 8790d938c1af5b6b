/* Sums rows of the model and makes the sum unit length, with the same bits on every machine.
 *
 * A code has 7 bits and a scale 11, so their product is exact in float32, and a fused multiply-add rounds just as a
 * multiply and an add do. Places are summed independently, in the order of the ids, so the width of the vector
 * registers does not show either. What is left, the length, is summed in a fixed shape. */

#include "tables.h"

#include <math.h>
#include <string.h>

/* binary16 to float32: the exponent's bias differs by 112. Exact for all finite values, subnormal ones included;
 * the model has neither infinities nor negative scales. */
static inline float scale_of(uint32_t id) {
    uint32_t bits = (uint32_t)minilm_scales_start[id] << 13;
    float shifted;
    memcpy(&shifted, &bits, sizeof shifted);
    return shifted * 0x1p112f;
}

static inline __attribute__((always_inline)) void add_rows(float *restrict sum, const uint32_t *ids, size_t count) {
    for (size_t n = 0; n < count; n++) {
        const int8_t *row = minilm_embeddings_start + (size_t)ids[n] * MINILM_DIMENSION;
        float scale = scale_of(ids[n]);
        for (size_t i = 0; i < MINILM_DIMENSION; i++)
            sum[i] += scale * (float)row[i];
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void add_rows_avx2(float *sum, const uint32_t *ids, size_t count) {
    add_rows(sum, ids, count);
}
#endif

void minilm_add_rows(float *sum, const uint32_t *ids, size_t count) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        add_rows_avx2(sum, ids, count);
        return;
    }
#endif
    add_rows(sum, ids, count);
}

bool minilm_make_unit(float *vector) {
    double squares[8] = {0};
    for (size_t i = 0; i < MINILM_DIMENSION; i += 8)
        for (size_t lane = 0; lane < 8; lane++)
            squares[lane] += (double)vector[i + lane] * (double)vector[i + lane];
    double total = ((squares[0] + squares[4]) + (squares[1] + squares[5]))
                 + ((squares[2] + squares[6]) + (squares[3] + squares[7]));
    if (!(total > 0))
        return false;
    float inverse = (float)(1 / sqrt(total));
    for (size_t i = 0; i < MINILM_DIMENSION; i++)
        vector[i] *= inverse;
    return true;
}
