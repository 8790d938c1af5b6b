// The system's zstd as it stands.
#pragma once
#include <zdict.h>
#include <zstd.h>
