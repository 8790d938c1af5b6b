// Loads the system's BLAS once and passes matrix products on to it.
#define _POSIX_C_SOURCE 200809L  // setenv, which plain C17 leaves out
#include "CBLAS.h"
#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The values every CBLAS gives these names.
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

typedef void cblas_sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                                  const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

// Fortran's: everything by reference, and the lengths of the three texts behind the rest.
typedef void ssyevr_function(const char *jobz, const char *range, const char *uplo, const int *n, float *a, const int *lda,
                             const float *vl, const float *vu, const int *il, const int *iu, const float *abstol, int *m,
                             float *w, float *z, const int *ldz, int *isuppz, float *work, const int *lwork, int *iwork,
                             const int *liwork, int *info, size_t, size_t, size_t);

static cblas_sgemm_function *sgemm;
static ssyevr_function *ssyevr;
static char description[512] = "none";
static pthread_once_t loaded = PTHREAD_ONCE_INIT;

// OpenBLAS reads these while it is being loaded, never again; hence dlopen, and hence before it.
static void prepare_environment(void) {
    setenv("OPENBLAS_NUM_THREADS", "1", 0);
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_is("amd") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
        setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
#endif
}

static void describe(void *library, const char *name) {
    typedef char *text_function(void);
    text_function *config = (text_function *)dlsym(library, "openblas_get_config");
    text_function *core = (text_function *)dlsym(library, "openblas_get_corename");
    snprintf(description, sizeof description, "%s%s%s%s%s%s", name, config ? ": " : "", config ? config() : "",
             core ? " (runs as " : "", core ? core() : "", core ? ")" : "");
}

static void load(void) {
    static const char *const names[] = {
        "libopenblas.so.0",
        "libblas.so.3",
        "/System/Library/Frameworks/Accelerate.framework/Accelerate",
    };
    prepare_environment();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) continue;
        sgemm = (cblas_sgemm_function *)dlsym(library, "cblas_sgemm");
        if (sgemm != NULL) {
            ssyevr = (ssyevr_function *)dlsym(library, "ssyevr_");
            describe(library, names[i]);
            return;
        }
        dlclose(library);  // a libblas without the C interface
    }
}

int nt_blas_available(void) {
    pthread_once(&loaded, load);
    return sgemm != NULL;
}

const char *nt_blas_description(void) {
    pthread_once(&loaded, load);
    return description;
}

int nt_sgemm_nt(size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, const float *b, size_t ldb,
                float beta, float *c, size_t ldc) {
    if (!nt_blas_available()) return -1;
    if (m > INT_MAX || n > INT_MAX || k > INT_MAX || lda > INT_MAX || ldb > INT_MAX || ldc > INT_MAX) return -2;
    sgemm(ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c,
          (int)ldc);
    return 0;
}

int nt_eigenvectors(size_t n, float *a, size_t count, float *values, float *vectors) {
    pthread_once(&loaded, load);
    if (ssyevr == NULL) return -1;
    if (n == 0 || count == 0 || count > n || n > INT_MAX / 64) return -2;
    const int size = (int)n, first = (int)(n - count + 1), last = (int)n, work_size = 33 * size, index_size = 10 * size;
    const float none = 0;
    float *work = malloc((size_t)work_size * sizeof *work), *rising = malloc(n * sizeof *rising);
    float *rows = malloc(n * count * sizeof *rows);
    int *indices = malloc((size_t)index_size * sizeof *indices), *support = malloc(2 * n * sizeof *support);
    int found = 0, info = -2;
    if (work != NULL && rising != NULL && rows != NULL && indices != NULL && support != NULL) {
        ssyevr("V", "I", "U", &size, a, &size, &none, &none, &first, &last, &none, &found, rising, rows, &size, support,
               work, &work_size, indices, &index_size, &info, 1, 1, 1);
        if (info == 0 && found != (int)count) info = 1;
        // LAPACK's eigenvalues rise; its columns are our rows.
        for (size_t i = 0; info == 0 && i < count; i++) {
            values[i] = rising[count - 1 - i];
            memcpy(vectors + i * n, rows + (count - 1 - i) * n, n * sizeof *rows);
        }
    }
    free(work), free(rising), free(rows), free(indices), free(support);
    return info < 0 ? -2 : info;
}
