// The system's zlib, with the one call that it offers only as a macro.
#pragma once
#include <zlib.h>

/// Prepares a stream that reads gzip members (header, checksum and length checked), not bare zlib data.
static inline int nt_gzip_begin(z_stream *stream) { return inflateInit2(stream, 15 + 16); }
