// Kernels that are plain loops: each instruction set's file compiles them for itself, and the compiler makes vectors of them.
#pragma once
#include "CCodes.h"
#include <string.h>

#define NT_PLAIN_KERNELS(target, variant)                                                                              \
    target float nt_weigh_##variant(const int32_t *projections, const float *scales, int8_t *values, int32_t *bias) {  \
        float weighed[NT_LINE_VALUES];                                                                                 \
        /* Magnitudes are ordered as their bits are, and of integers the greatest may be found in any order. */        \
        uint32_t greatest_bits = 0x00800000u;                                                                          \
        for (size_t c = 0; c < NT_LINE_VALUES; c++) {                                                                  \
            weighed[c] = (float)projections[c] * scales[c];                                                            \
            const float magnitude = __builtin_fabsf(weighed[c]);                                                       \
            uint32_t bits;                                                                                             \
            memcpy(&bits, &magnitude, sizeof bits);                                                                    \
            greatest_bits = bits > greatest_bits ? bits : greatest_bits;                                               \
        }                                                                                                              \
        float greatest;                                                                                                \
        memcpy(&greatest, &greatest_bits, sizeof greatest);                                                            \
        const float scale = 127 / greatest;                                                                            \
        int32_t narrow = 0, wide = 0;                                                                                  \
        for (size_t c = 0; c < NT_LINE_VALUES; c++) {                                                                  \
            const int32_t value = (int32_t)__builtin_rintf(weighed[c] * scale);                                        \
            values[c] = (int8_t)value;                                                                                 \
            narrow += value;                                                                                           \
        }                                                                                                              \
        for (size_t c = 0; c < NT_LINE_WIDE_BYTES; c++) wide += values[c] + values[NT_LINE_VALUE_BYTES + c];           \
        *bias = 3 * narrow + 12 * wide;                                                                                \
        return greatest;                                                                                               \
    }                                                                                                                  \
                                                                                                                       \
    target bool nt_stands_on_##variant(const float *x, const int8_t *values, float step, size_t dim) {                 \
        uint32_t off = 0;                                                                                              \
        for (size_t j = 0; j < dim; j++) off |= x[j] != step * (float)values[j];                                       \
        return off == 0;                                                                                               \
    }
