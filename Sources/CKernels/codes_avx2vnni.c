// Code kernels on AVX2 with AVX-VNNI: 32 products an instruction, for processors without AVX-512.
#if defined(__x86_64__)
#define NT_VARIANT avx2vnni
#define NT_TARGET __attribute__((target("avx2,fma,avxvnni")))
#include "codes_avx2.h"

#define vec_dot _mm256_dpbusd_avx_epi32
#define few sums
#define few_zero sums_zero
#define few_dot vec_dot
#define few_add sums_add
#define few_sums(f) (f)

#include "codes_rows.h"

NT_PLAIN_KERNELS(NT_TARGET, avx2vnni)
#endif
