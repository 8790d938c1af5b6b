// A thin C face over simdjson: one parser, one parse, and the tape it leaves behind.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nt_json_parser nt_json_parser;

/// What a parse leaves: simdjson's tape (its documentation, tape.md, shows every word) and the strings it
/// points into, each a native-endian 32-bit length, the bytes, and a NUL. Valid until the next parse.
typedef struct {
    const uint64_t *tape;
    size_t tape_count;
    const uint8_t *strings;
    size_t strings_count;
} nt_json_tape;

/// A parser that refuses documents over `bytes_max` bytes or nested deeper than `depth_max`. NULL without memory.
nt_json_parser *nt_json_parser_create(size_t bytes_max, size_t depth_max);
void nt_json_parser_destroy(nt_json_parser *parser);

/// Parses one document, copying it into the parser's own padded memory. 0, or simdjson's error code.
int nt_json_parse(nt_json_parser *parser, const uint8_t *bytes, size_t count, nt_json_tape *result);

/// Gives back the memory of large documents parsed earlier.
void nt_json_parser_shrink(nt_json_parser *parser);

/// What an error code of `nt_json_parse` means, in English, for ever valid.
const char *nt_json_error(int code);
/// Name of the instruction set simdjson runs on.
const char *nt_json_implementation(void);

enum {
    NT_JSON_FLOATS_OK = 0,
    NT_JSON_FLOATS_NOT_A_NUMBER = 1,
    NT_JSON_FLOATS_OVERFLOW = 2,
    NT_JSON_FLOATS_TOO_MANY = 3,
};

/// Converts the numbers on the tape words [first, end) to float32. Writes at most `capacity`; `*written` tells
/// how many, and on an error which element it was. A number that float32 cannot hold finitely is an overflow.
int nt_json_floats(const uint64_t *tape, size_t first, size_t end, float *out, size_t capacity, size_t *written);

#ifdef __cplusplus
}
#endif
