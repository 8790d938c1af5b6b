// The system's zstd as it stands.
#pragma once
#include <zstd.h>
