// Keeping a thread on processors: glibc declares it to those alone who ask for GNU's extensions.
#pragma once
#include <stddef.h>

/// Keeps the calling thread on these processors. Returns 0, or the number of an error: EINVAL where there is no such
/// processor, ENOSYS where the system knows no such thing.
int nt_stay_on(const int *processors, size_t count);
