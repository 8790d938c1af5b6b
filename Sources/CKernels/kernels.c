// The table of variants: which of them this processor runs, and which of those is fastest.
#define _POSIX_C_SOURCE 200809L  // clock_gettime, which plain C17 leaves out
#include "variants.h"
#include <pthread.h>
#include <time.h>

#define NT_TABLE(variant, label, float32, base64)                                                  \
    static const nt_kernels variant = {                                                            \
        .name = label,                                                                             \
        .dot_rows = nt_dot_rows_##float32,                                                         \
        .dot_gather = nt_dot_gather_##float32,                                                     \
        .l2_rows = nt_l2_rows_##float32,                                                           \
        .l2_gather = nt_l2_gather_##float32,                                                       \
        .sum_squares = nt_sum_squares_##float32,                                                   \
        .all_finite_f32 = nt_all_finite_##float32,                                                 \
        .max_index = nt_max_index_##float32,                                                       \
        .base64_decode_f32 = nt_base64_decode_##base64,                                            \
        .base64_encode = nt_base64_encode_##base64,                                                \
    }

NT_TABLE(portable, "portable", portable, portable);
#if defined(__x86_64__)
NT_TABLE(avx2, "avx2", avx2, avx2);
NT_TABLE(avx512, "avx512", avx512, avx2);
NT_TABLE(avx512vbmi, "avx512vbmi", avx512, avx512vbmi);
#elif defined(__aarch64__)
NT_TABLE(neon, "neon", neon, neon);
#endif

enum { VARIANTS_MAX = 4 };
static const nt_kernels *runnable[VARIANTS_MAX + 1];
static pthread_once_t listed = PTHREAD_ONCE_INIT;

static void list_runnable(void) {
    size_t count = 0;
    runnable[count++] = &portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    // Each step asks for the one below it too, so the table is also an order.
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
    runnable[count++] = &avx2;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq")) return;
    runnable[count++] = &avx512;
    if (!__builtin_cpu_supports("avx512vbmi") || !__builtin_cpu_supports("bmi2")) return;
    runnable[count++] = &avx512vbmi;
#elif defined(__aarch64__)
    runnable[count++] = &neon;
#endif
}

const nt_kernels *nt_kernels_at(size_t i) {
    pthread_once(&listed, list_runnable);
    return i < VARIANTS_MAX ? runnable[i] : NULL;
}

// Sixteen rows of 384 dimensions fit the first-level cache, where width shows; beyond it memory decides alone.
// Four calls between two looks at the clock, which itself takes 20 to 300 ns.
enum { PROBE_DIM = 384, PROBE_ROWS = 16, PROBE_CALLS = 4, PROBE_ROUNDS = 40 };

static double probe_nanoseconds(const nt_kernels *kernels) {
    static _Alignas(64) float query[PROBE_DIM], rows[PROBE_ROWS * PROBE_DIM];
    float out[PROBE_ROWS];
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int call = 0; call < PROBE_CALLS; call++)
        kernels->dot_rows(query, rows, PROBE_DIM, PROBE_DIM, PROBE_ROWS, out);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
}

static const nt_kernels *best;
static pthread_once_t chosen = PTHREAD_ONCE_INIT;

static void choose_best(void) {
    // Rounds take turns, and the least of them counts: a disturbance then hits all alike or nobody. The
    // first rounds also wake a processor's wide units, which some keep asleep or slow until used.
    double least[VARIANTS_MAX] = {0};
    for (int round = 0; round < PROBE_ROUNDS; round++) {
        for (size_t i = 0; nt_kernels_at(i) != NULL; i++) {
            const double time = probe_nanoseconds(nt_kernels_at(i));
            if (round == 0 || time < least[i]) least[i] = time;
        }
    }
    double fastest = least[0];
    for (size_t i = 1; nt_kernels_at(i) != NULL; i++) fastest = least[i] < fastest ? least[i] : fastest;
    // Within 5 % is a tie, and the wider one, which is listed later, takes it.
    for (size_t i = 0; nt_kernels_at(i) != NULL; i++)
        if (least[i] <= 1.05 * fastest) best = nt_kernels_at(i);
}

const nt_kernels *nt_kernels_best(void) {
    pthread_once(&chosen, choose_best);
    return best;
}
