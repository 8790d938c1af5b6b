// System calls that go wrong on request, loaded before the C library: what stands below the disk seam is tested with it.
//
//   NEEDLETAIL_SHORT=1           every call is interrupted once, then reads and writes half of what it was asked for
//   NEEDLETAIL_FAILING_SYNC=n    the n-th fdatasync fails with EIO, once
//   NEEDLETAIL_LYING_SYNC=1      fdatasync and fsync report success and do nothing
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_set(const char *name) { return getenv(name) != NULL; }

// Says once that a fault came about, so that no test passes for want of one.
static void tell(const char *fault) {
    static atomic_int told;
    if (atomic_exchange(&told, 1) == 0) dprintf(2, "injected: %s\n", fault);
}

// Every other call of a thread is interrupted: a caller that calls again gets through.
static int is_interrupted(void) {
    static _Thread_local int calls;
    if (!is_set("NEEDLETAIL_SHORT") || calls++ % 2 != 0) return 0;
    tell("short and interrupted calls");
    errno = EINTR;
    return 1;
}

static size_t shortened(size_t count) { return is_set("NEEDLETAIL_SHORT") ? count - count / 2 : count; }

#define REAL(call) ((__typeof__(&call))dlsym(RTLD_NEXT, #call))

ssize_t pread(int file, void *bytes, size_t count, off_t offset) {
    return is_interrupted() ? -1 : REAL(pread)(file, bytes, shortened(count), offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    return is_interrupted() ? -1 : REAL(pwrite)(file, bytes, shortened(count), offset);
}

int openat(int directory, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return is_interrupted() ? -1 : REAL(openat)(directory, path, flags, mode);
}

int fsync(int file) {
    if (is_set("NEEDLETAIL_LYING_SYNC")) return tell("a lying sync"), 0;
    return is_interrupted() ? -1 : REAL(fsync)(file);
}

// Never interrupted: Linux does not say what is on the device after that, so it counts as a failure.
int fdatasync(int file) {
    static atomic_int calls;
    if (is_set("NEEDLETAIL_LYING_SYNC")) return tell("a lying sync"), 0;
    const char *failing = getenv("NEEDLETAIL_FAILING_SYNC");
    if (failing != NULL && atomic_fetch_add(&calls, 1) + 1 == atoi(failing)) {
        tell("a failing sync");
        errno = EIO;
        return -1;
    }
    return REAL(fdatasync)(file);
}
