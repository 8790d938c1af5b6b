// Hands simdjson's document parser to Swift without exceptions, C++ types or ownership questions.
#define SIMDJSON_EXCEPTIONS 0
#include "CSimdjson.h"
#include <cmath>
#include <cstring>
#include <new>
#include <simdjson.h>
#include <string>

using namespace simdjson;

struct nt_json_parser {
    dom::parser parser;
    size_t depth_max;
    nt_json_parser(size_t bytes_max, size_t depth) : parser(bytes_max), depth_max(depth) {}
};

extern "C" nt_json_parser *nt_json_parser_create(size_t bytes_max, size_t depth_max) {
    return new (std::nothrow) nt_json_parser(bytes_max, depth_max);
}

extern "C" void nt_json_parser_destroy(nt_json_parser *parser) { delete parser; }

extern "C" int nt_json_parse(nt_json_parser *self, const uint8_t *bytes, size_t count, nt_json_tape *result) {
    dom::parser &parser = self->parser;
    // The parser sizes itself to the document with its own default depth (1,024); ask first, with ours.
    if (count > parser.max_capacity()) return CAPACITY;
    if (parser.capacity() < count || parser.max_depth() != self->depth_max) {
        // Doubling keeps a stream of slowly longer lines from allocating each time.
        size_t wanted = parser.capacity() * 2 > count ? parser.capacity() * 2 : count;
        if (wanted < 4096) wanted = 4096;
        if (wanted > parser.max_capacity()) wanted = parser.max_capacity();
        const error_code failed = parser.allocate(wanted, self->depth_max);
        if (failed) return failed;
    }
    const auto parsed = parser.parse(bytes, count, /* copy into padded memory */ true);
    if (parsed.error()) return parsed.error();
    const dom::document &document = parser.doc;
    result->tape = document.tape.get();
    result->tape_count = (size_t)(document.tape[0] & 0x00FFFFFFFFFFFFFFull);
    result->strings = document.string_buf.get();
    // simdjson writes each string's length, bytes and NUL; no string is longer than the document it came from.
    result->strings_count = document.capacity() * 5 / 3 + SIMDJSON_PADDING;
    return SUCCESS;
}

extern "C" void nt_json_parser_shrink(nt_json_parser *self) {
    self->parser = dom::parser(self->parser.max_capacity());
}

extern "C" const char *nt_json_error(int code) { return error_message((error_code)code); }

extern "C" const char *nt_json_implementation(void) {
    static const std::string name = get_active_implementation()->name();
    return name.c_str();
}

extern "C" int nt_json_floats(const uint64_t *tape, size_t first, size_t end, float *out, size_t capacity,
                              size_t *written) {
    size_t count = 0;
    int code = NT_JSON_FLOATS_OK;
    // Every number takes two words: its type, then its value.
    for (size_t at = first; at < end; at += 2, count++) {
        if (count == capacity) { code = NT_JSON_FLOATS_TOO_MANY; break; }
        const char type = (char)(tape[at] >> 56);
        double value;
        if (type == 'd') memcpy(&value, &tape[at + 1], 8);
        else if (type == 'l') value = (double)(int64_t)tape[at + 1];
        else if (type == 'u') value = (double)tape[at + 1];
        else { code = NT_JSON_FLOATS_NOT_A_NUMBER; break; }
        const float narrow = (float)value;
        if (!std::isfinite(narrow)) { code = NT_JSON_FLOATS_OVERFLOW; break; }
        out[count] = narrow;
    }
    *written = count;
    return code;
}
