// The functions each instruction set's files define, for the table in kernels.c to list.
#pragma once
#include "CKernels.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "base64 of little-endian floats is decoded in place, and the files are little-endian"
#endif

#define NT_FLOAT32_FUNCTIONS(variant)                                                              \
    nt_score_rows nt_dot_rows_##variant, nt_l2_rows_##variant;                                     \
    nt_score_gather nt_dot_gather_##variant, nt_l2_gather_##variant;                               \
    double nt_sum_squares_##variant(const float *, size_t);                                        \
    bool nt_all_finite_##variant(const float *, size_t);                                           \
    uint32_t nt_max_index_##variant(const uint32_t *, size_t);

#define NT_BASE64_FUNCTIONS(variant)                                                               \
    ptrdiff_t nt_base64_decode_##variant(const uint8_t *, size_t, float *, size_t, bool *);        \
    void nt_base64_encode_##variant(const uint8_t *, size_t, uint8_t *);

NT_FLOAT32_FUNCTIONS(portable)
NT_BASE64_FUNCTIONS(portable)
#if defined(__x86_64__)
NT_FLOAT32_FUNCTIONS(avx2)
NT_FLOAT32_FUNCTIONS(avx512)
NT_BASE64_FUNCTIONS(avx2)
NT_BASE64_FUNCTIONS(avx512vbmi)
#elif defined(__aarch64__)
NT_FLOAT32_FUNCTIONS(neon)
NT_BASE64_FUNCTIONS(neon)
#endif
