// The system's BLAS, found when first needed: the package links to none, and works without one.
#pragma once
#include <stddef.h>

/// Whether a BLAS was found, 1 or 0. The first call of any function here looks for one and loads it: OpenBLAS,
/// then whatever libblas stands for, then Accelerate. Any thread may call at any time, but the first call also
/// sets environment variables, so a program that reads its environment on other threads makes it early.
///
/// OpenBLAS is told to use one thread a call (OPENBLAS_NUM_THREADS=1): the engine has its own, and a
/// second pool would fight them. On AMD processors with AVX-512 it is told so (OPENBLAS_CORETYPE=SkylakeX):
/// releases before 0.3.21 take the newer ones for processors without (as Haswell, Zen 5 does 120 GFLOP/s
/// instead of 225); later releases choose as well by themselves. What the user has set of these stays.
int nt_blas_available(void);

/// Which library was loaded and, where it tells, its version and the processor it takes this one for;
/// "none" without one. The text lives for ever.
const char *nt_blas_description(void);

/// C = alpha * A * B^T + beta * C for row-major matrices: A is m x k with rows `lda` floats apart, B is n x k
/// with `ldb`, C is m x n with `ldc`. With beta 0, C is written without being read. Concurrent calls are fine.
/// Returns 0; or -1 without a BLAS, or -2 where a size exceeds its 32-bit integers, C being untouched then.
int nt_sgemm_nt(size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                float beta, float *c, size_t ldc);

/// The `count` greatest eigenvalues of the symmetric n x n matrix `a`, greatest first, and their eigenvectors of
/// length 1 as rows of `vectors` (count x n). Overwrites `a`. Returns 0; -1 without a LAPACK beside the BLAS, -2 where
/// memory or its integers do not suffice, or LAPACK's positive code where it found none.
int nt_eigenvectors(size_t n, float *a, size_t count, float *values, float *vectors);
