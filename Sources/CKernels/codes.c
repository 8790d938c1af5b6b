// The table of code kernels: which of them this processor runs, and which of those is fastest.
#define _POSIX_C_SOURCE 200809L  // clock_gettime, which plain C17 leaves out
#include "codes_variants.h"
#include <pthread.h>
#include <time.h>
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

#define NT_CODE_TABLE(variant)                                                                                         \
    static const nt_code_kernels variant = {                                                                           \
        .name = #variant,                                                                                              \
        .dot_codes = nt_dot_codes_##variant,                                                                           \
        .dot_code_rows = nt_dot_code_rows_##variant,                                                                   \
        .dot_pairs = nt_dot_pairs_##variant,                                                                           \
        .select_near = nt_select_near_##variant,                                                                       \
        .score_lines = nt_score_lines_##variant,                                                                       \
        .score_line_rows = nt_score_line_rows_##variant,                                                               \
        .offer = nt_offer_##variant,                                                                                   \
        .project = nt_project_##variant,                                                                               \
        .weigh = nt_weigh_##variant,                                                                                   \
        .stands_on = nt_stands_on_##variant,                                                                           \
        .centre = nt_centre_##variant,                                                                                 \
        .quantise = nt_quantise_##variant,                                                                             \
        .sum_codes = nt_sum_codes_##variant,                                                                           \
    }

NT_CODE_TABLE(portable);
#if defined(__x86_64__)
NT_CODE_TABLE(avx2);
NT_CODE_TABLE(avx2vnni);
NT_CODE_TABLE(avx512vnni);
#elif defined(__aarch64__)
NT_CODE_TABLE(neon);
#endif

enum { VARIANTS_MAX = 4 };
static const nt_code_kernels *runnable[VARIANTS_MAX + 1];
static pthread_once_t listed = PTHREAD_ONCE_INIT;

#if defined(__aarch64__)
static bool has_dot_products(void) {
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__)
    return true;
#else
    return false;
#endif
}
#endif

static void list_runnable(void) {
    size_t count = 0;
    runnable[count++] = &portable;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return;
    runnable[count++] = &avx2;
    // A processor may have either of the two that follow without the other.
    if (__builtin_cpu_supports("avxvnni")) runnable[count++] = &avx2vnni;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("bmi2"))
        runnable[count++] = &avx512vnni;
#elif defined(__aarch64__)
    if (has_dot_products()) runnable[count++] = &neon;
#endif
}

const nt_code_kernels *nt_code_kernels_at(size_t i) {
    pthread_once(&listed, list_runnable);
    return i < VARIANTS_MAX ? runnable[i] : NULL;
}

// Sixteen rows fit the first-level cache, where the instructions decide; beyond it memory does for all alike.
enum { PROBE_STRIDE = 768, PROBE_ROWS = 16, PROBE_CALLS = 4, PROBE_ROUNDS = 100 };

static double probe_nanoseconds(const nt_code_kernels *kernels) {
    static _Alignas(64) int8_t query[PROBE_STRIDE];
    static _Alignas(64) uint8_t rows[PROBE_ROWS * PROBE_STRIDE];
    int32_t dots[PROBE_ROWS];
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int call = 0; call < PROBE_CALLS; call++) kernels->dot_code_rows(query, 0, rows, PROBE_STRIDE, PROBE_ROWS, dots);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
}

static const nt_code_kernels *best;
static pthread_once_t chosen = PTHREAD_ONCE_INIT;

static void choose_best(void) {
    // As for the float kernels rounds take turns and the least counts. Only a narrower one that is clearly faster is taken:
    // where others use the processor the measurement is off by tens of per cent, and the wrong choice costs a third.
    double least[VARIANTS_MAX] = {0};
    for (int round = 0; round < PROBE_ROUNDS; round++) {
        for (size_t i = 0; nt_code_kernels_at(i) != NULL; i++) {
            const double time = probe_nanoseconds(nt_code_kernels_at(i));
            if (round == 0 || time < least[i]) least[i] = time;
        }
    }
    double fastest = least[0];
    for (size_t i = 1; nt_code_kernels_at(i) != NULL; i++) fastest = least[i] < fastest ? least[i] : fastest;
    for (size_t i = 0; nt_code_kernels_at(i) != NULL; i++)
        if (least[i] <= 1.3 * fastest) best = nt_code_kernels_at(i);
}

const nt_code_kernels *nt_code_kernels_best(void) {
    pthread_once(&chosen, choose_best);
    return best;
}
