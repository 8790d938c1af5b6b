#define _GNU_SOURCE
#include "CAffinity.h"

#include <errno.h>
#ifdef __linux__
#include <sched.h>
#endif

int nt_stay_on(const int *processors, size_t count) {
#ifdef __linux__
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t i = 0; i < count; i++) {
        if (processors[i] < 0 || processors[i] >= CPU_SETSIZE) return EINVAL;
        CPU_SET(processors[i], &set);
    }
    return sched_setaffinity(0, sizeof set, &set) ? errno : 0;
#else
    (void)processors, (void)count;
    return ENOSYS;
#endif
}
