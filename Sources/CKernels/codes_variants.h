// The code kernels each instruction set's file defines, for the table in codes.c to list.
#pragma once
#include "CCodes.h"

// For files that define NT_VARIANT, the suffix of their functions' names, and NT_TARGET, the target attribute they need.
#define NT_INLINE NT_TARGET static inline __attribute__((always_inline))

#define NT_CODE_FUNCTIONS(variant)                                                                                     \
    void nt_dot_codes_##variant(const int8_t *, int32_t, const uint8_t *, size_t, const uint32_t *, size_t, int32_t *); \
    void nt_dot_code_rows_##variant(const int8_t *, int32_t, const uint8_t *, size_t, size_t, int32_t *);              \
    void nt_dot_pairs_##variant(const uint8_t *, const int32_t *, size_t, const uint8_t *, size_t, size_t, int32_t *,  \
                                size_t);                                                                               \
    size_t nt_select_near_##variant(const int32_t *, const int32_t *, size_t, int32_t, uint32_t *, int32_t *);         \
    void nt_score_lines_##variant(const nt_line_query *, const uint8_t *, const uint32_t *, size_t, float *);          \
    void nt_score_line_rows_##variant(const nt_line_query *, const uint8_t *, size_t, float *);                        \
    void nt_offer_##variant(nt_pool *, const uint32_t *, const float *, size_t, const uint32_t *, size_t);             \
    void nt_project_##variant(const int8_t *, size_t, const int8_t *, const int32_t *, int32_t *);                     \
    float nt_weigh_##variant(const int32_t *, const float *, int8_t *, int32_t *);                                     \
    bool nt_stands_on_##variant(const float *, const int8_t *, float, size_t);                                         \
    float nt_centre_##variant(const float *, const float *, size_t, float *);                                          \
    int32_t nt_quantise_##variant(const float *, float, size_t, int8_t *);                                             \
    void nt_sum_codes_##variant(const uint8_t *, size_t, int32_t[2]);

NT_CODE_FUNCTIONS(portable)
#if defined(__x86_64__)
NT_CODE_FUNCTIONS(avx2)
NT_CODE_FUNCTIONS(avx2vnni)
NT_CODE_FUNCTIONS(avx512vnni)
#elif defined(__aarch64__)
NT_CODE_FUNCTIONS(neon)
#endif
