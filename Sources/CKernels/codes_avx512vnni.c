// Code kernels on AVX-512 with VNNI: 64 products an instruction, four rows at once.
#if defined(__x86_64__)
#include "codes_pool.h"
#include "codes_plain.h"
#include "codes_variants.h"
#include <immintrin.h>
#include <string.h>

#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,bmi,bmi2,popcnt")))
#define INLINE VNNI static inline __attribute__((always_inline))

// Sums of four accumulators, one a 32-bit lane.
INLINE __m128i fold_four(__m512i a, __m512i b, __m512i c, __m512i d) {
    const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

INLINE void store_first(int32_t *out, __m128i lanes, size_t count) {
    _mm_mask_storeu_epi32(out, count >= 4 ? 15 : (__mmask8)((1u << count) - 1), lanes);
}

INLINE __m128i dot_four(const int8_t *query, size_t stride, const uint8_t *a, const uint8_t *b, const uint8_t *c,
                        const uint8_t *d) {
    __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (size_t at = 0; at < stride; at += 64) {
        const __m512i q = _mm512_loadu_si512(query + at);
        sums[0] = _mm512_dpbusd_epi32(sums[0], _mm512_loadu_si512(a + at), q);
        sums[1] = _mm512_dpbusd_epi32(sums[1], _mm512_loadu_si512(b + at), q);
        sums[2] = _mm512_dpbusd_epi32(sums[2], _mm512_loadu_si512(c + at), q);
        sums[3] = _mm512_dpbusd_epi32(sums[3], _mm512_loadu_si512(d + at), q);
    }
    return fold_four(sums[0], sums[1], sums[2], sums[3]);
}

VNNI void nt_dot_codes_avx512vnni(const int8_t *query, int32_t query_sum, const uint8_t *rows, size_t stride,
                                  const uint32_t *ids, size_t count, int32_t *dots) {
    const __m128i bias = _mm_set1_epi32(128 * query_sum);
    for (size_t i = 0; i < count; i += 4) {
        // A last group that is not full repeats its last row.
        const size_t last = count - 1;
        const uint8_t *a = rows + ids[i] * stride, *b = rows + ids[i + 1 < last ? i + 1 : last] * stride;
        const uint8_t *c = rows + ids[i + 2 < last ? i + 2 : last] * stride;
        const uint8_t *d = rows + ids[i + 3 < last ? i + 3 : last] * stride;
        store_first(dots + i, _mm_sub_epi32(dot_four(query, stride, a, b, c, d), bias), count - i);
    }
}

VNNI void nt_dot_code_rows_avx512vnni(const int8_t *query, int32_t query_sum, const uint8_t *rows, size_t stride,
                                      size_t count, int32_t *dots) {
    const __m128i bias = _mm_set1_epi32(128 * query_sum);
    for (size_t i = 0; i < count; i += 4) {
        const size_t last = count - 1;
        const uint8_t *a = rows + i * stride, *b = rows + (i + 1 < last ? i + 1 : last) * stride;
        const uint8_t *c = rows + (i + 2 < last ? i + 2 : last) * stride;
        const uint8_t *d = rows + (i + 3 < last ? i + 3 : last) * stride;
        store_first(dots + i, _mm_sub_epi32(dot_four(query, stride, a, b, c, d), bias), count - i);
    }
}

VNNI void nt_dot_pairs_avx512vnni(const uint8_t *a, const int32_t *a_sums, size_t a_count, const uint8_t *b,
                                  size_t b_count, size_t stride, int32_t *dots, size_t dots_stride) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    const uint8_t *as[4], *bs[4];
    for (size_t i = 0; i < 4; i++) as[i] = a + (i < a_count ? i : a_count - 1) * stride;
    for (size_t j = 0; j < b_count; j += 4) {
        for (size_t i = 0; i < 4; i++) bs[i] = b + (j + i < b_count ? j + i : b_count - 1) * stride;
        __m512i sums[4][4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) sums[i / 4][i % 4] = _mm512_setzero_si512();
        for (size_t at = 0; at < stride; at += 64) {
            __m512i x[4];
#pragma clang loop unroll(full)
            for (int i = 0; i < 4; i++) x[i] = _mm512_xor_si512(_mm512_loadu_si512(as[i] + at), flip);
#pragma clang loop unroll(full)
            for (int k = 0; k < 4; k++) {
                const __m512i y = _mm512_loadu_si512(bs[k] + at);
#pragma clang loop unroll(full)
                for (int i = 0; i < 4; i++) sums[i][k] = _mm512_dpbusd_epi32(sums[i][k], y, x[i]);
            }
        }
        for (size_t i = 0; i < a_count; i++) {
            const __m128i folded = fold_four(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
            store_first(dots + i * dots_stride + j, _mm_sub_epi32(folded, _mm_set1_epi32(128 * a_sums[i])), b_count - j);
        }
    }
}

VNNI size_t nt_select_near_avx512vnni(const int32_t *dots, const int32_t *norms, size_t count, int32_t limit,
                                      uint32_t *indices, int32_t *distances) {
    const __m512i most = _mm512_set1_epi32(limit);
    __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t found = 0;
    for (size_t j = 0; j < count; j += 16) {
        const __mmask16 there = count - j >= 16 ? 0xffff : (__mmask16)((1u << (count - j)) - 1);
        const __m512i dot = _mm512_maskz_loadu_epi32(there, dots + j);
        const __m512i distance = _mm512_sub_epi32(_mm512_maskz_loadu_epi32(there, norms + j), _mm512_add_epi32(dot, dot));
        const __mmask16 near = _mm512_mask_cmple_epi32_mask(there, distance, most);
        if (near) {
            // Compressed in the register first: a compressing store is slow on some processors.
            const __mmask16 first = (__mmask16)_bzhi_u32(0xffff, (unsigned)__builtin_popcount(near));
            _mm512_mask_storeu_epi32(indices + found, first, _mm512_maskz_compress_epi32(near, places));
            _mm512_mask_storeu_epi32(distances + found, first, _mm512_maskz_compress_epi32(near, distance));
            found += (size_t)__builtin_popcount(near);
        }
        places = _mm512_add_epi32(places, _mm512_set1_epi32(16));
    }
    return found;
}

typedef struct {
    __m512i planes[4], low, pairs;
    __m128 scale, bias;
} line_registers;

INLINE line_registers load_query(const nt_line_query *query) {
    line_registers r;
    for (int p = 0; p < 4; p++) r.planes[p] = _mm512_loadu_si512(query->planes[p]);
    // 15 for the bytes of two values, 3 for those of four, 0 for the floats; planes 2 and 3 have no 4-bit bytes.
    const __mmask64 wide = (1ull << NT_LINE_WIDE_BYTES) - 1, narrow = ((1ull << NT_LINE_VALUE_BYTES) - 1) & ~wide;
    r.low = _mm512_or_si512(_mm512_maskz_set1_epi8(wide, 15), _mm512_maskz_set1_epi8(narrow, 3));
    r.pairs = _mm512_maskz_set1_epi8(narrow, 3);
    r.scale = _mm_set1_ps(query->scale);
    r.bias = _mm_set1_ps(query->bias);
    return r;
}

INLINE __m512i weigh_line(const line_registers *r, const uint8_t *line) {
    const __m512i v = _mm512_loadu_si512(line), high = _mm512_srli_epi16(v, 4);
    __m512i x = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_and_si512(v, r->low), r->planes[0]);
    __m512i y = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_and_si512(high, r->low), r->planes[1]);
    x = _mm512_dpbusd_epi32(x, _mm512_and_si512(_mm512_srli_epi16(v, 2), r->pairs), r->planes[2]);
    y = _mm512_dpbusd_epi32(y, _mm512_and_si512(_mm512_srli_epi16(v, 6), r->pairs), r->planes[3]);
    return _mm512_add_epi32(x, y);
}

INLINE __m128 line_ends(const uint8_t *line) {
    return _mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)(line + NT_LINE_VALUE_BYTES)));
}

INLINE __m128 score_four(const line_registers *r, const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d) {
    const __m128i sums = fold_four(weigh_line(r, a), weigh_line(r, b), weigh_line(r, c), weigh_line(r, d));
    const __m128 weighed = _mm_mul_ps(_mm_sub_ps(_mm_cvtepi32_ps(sums), r->bias), r->scale);
    const __m128 ab = _mm_unpacklo_ps(line_ends(a), line_ends(b)), cd = _mm_unpacklo_ps(line_ends(c), line_ends(d));
    return _mm_fmadd_ps(weighed, _mm_movehl_ps(cd, ab), _mm_movelh_ps(ab, cd));
}

INLINE void store_first_f32(float *out, __m128 lanes, size_t count) {
    _mm_mask_storeu_ps(out, count >= 4 ? 15 : (__mmask8)((1u << count) - 1), lanes);
}

VNNI void nt_score_lines_avx512vnni(const nt_line_query *query, const uint8_t *lines, const uint32_t *ids,
                                    size_t count, float *estimates) {
    const line_registers r = load_query(query);
    for (size_t i = 0; i < count; i += 4) {
        const size_t last = count - 1;
        const uint8_t *a = lines + (size_t)ids[i] * 64, *b = lines + (size_t)ids[i + 1 < last ? i + 1 : last] * 64;
        const uint8_t *c = lines + (size_t)ids[i + 2 < last ? i + 2 : last] * 64;
        const uint8_t *d = lines + (size_t)ids[i + 3 < last ? i + 3 : last] * 64;
        store_first_f32(estimates + i, score_four(&r, a, b, c, d), count - i);
    }
}

VNNI void nt_score_line_rows_avx512vnni(const nt_line_query *query, const uint8_t *lines, size_t count,
                                        float *estimates) {
    const line_registers r = load_query(query);
    for (size_t i = 0; i < count; i += 4) {
        const size_t last = count - 1;
        const uint8_t *a = lines + i * 64, *b = lines + (i + 1 < last ? i + 1 : last) * 64;
        const uint8_t *c = lines + (i + 2 < last ? i + 2 : last) * 64, *d = lines + (i + 3 < last ? i + 3 : last) * 64;
        store_first_f32(estimates + i, score_four(&r, a, b, c, d), count - i);
    }
}

// Keys of candidates below the limit, in their order, and the least of them. `keys` has room for 16 more than there are candidates.
INLINE size_t make_keys(const uint32_t *ids, const float *distances, size_t count, uint64_t limit, uint64_t *keys,
                        uint64_t *least) {
    const __m512i top = _mm512_set1_epi32((int)0x80000000u), below = _mm512_set1_epi64((long long)limit);
    __m512i minima = _mm512_set1_epi64(-1);
    size_t taken = 0;
    for (size_t i = 0; i < count; i += 16) {
        const __mmask16 there = count - i >= 16 ? 0xffff : (__mmask16)((1u << (count - i)) - 1);
        // -0 is 0
        const __m512 distance = _mm512_add_ps(_mm512_maskz_loadu_ps(there, distances + i), _mm512_setzero_ps());
        const __m512i bits = _mm512_castps_si512(distance);
        const __m512i image = _mm512_xor_si512(bits, _mm512_or_si512(_mm512_srai_epi32(bits, 31), top));
        const __m512i number = _mm512_slli_epi32(_mm512_maskz_loadu_epi32(there, ids + i), 1);
#pragma clang loop unroll(full)
        for (int half = 0; half < 2; half++) {
            const __m256i upper = half ? _mm512_extracti64x4_epi64(image, 1) : _mm512_castsi512_si256(image);
            const __m256i lower = half ? _mm512_extracti64x4_epi64(number, 1) : _mm512_castsi512_si256(number);
            const __m512i key = _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(upper), 32), _mm512_cvtepu32_epi64(lower));
            const __mmask8 taking = _mm512_mask_cmplt_epu64_mask((__mmask8)(there >> (8 * half)), key, below);
            // Compressed in the register first: a compressing store is slow on some processors.
            _mm512_storeu_si512(keys + taken, _mm512_maskz_compress_epi64(taking, key));
            minima = _mm512_mask_min_epu64(minima, taking, minima, key);
            taken += (size_t)__builtin_popcount(taking);
        }
    }
    *least = _mm512_reduce_min_epu64(minima);
    return taken;
}

// Inserts keys into a sorted run of at most `vectors` * 8 keys, held in registers meanwhile. Of a run and a key to insert, place j
// has afterwards the lesser of what it had and of the greater of the key and what j - 1 had: no branch depends on where a key goes.
// `count` keys are there, and at most `capacity` stay; where `new` is to be kept, each key is replaced by what it pushed out.
// Returns which of the first 128 places have an unmarked key.
typedef struct {
    uint64_t words[2];
} places;

INLINE places insert_all(uint64_t *keys, size_t count, size_t capacity, uint64_t *new, size_t taken, bool keeps_pushed_out, const int vectors) {
    enum { VECTORS_MAX = 16 };
    const __m512i none = _mm512_set1_epi64(-1);
    __m512i v[VECTORS_MAX];
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) {
        const size_t left = count > (size_t)j * 8 ? count - (size_t)j * 8 : 0;
        v[j] = _mm512_mask_loadu_epi64(none, left >= 8 ? 0xff : (__mmask8)((1u << left) - 1), keys + j * 8);
    }
    for (size_t i = 0; i < taken; i++) {
        const __m512i key = _mm512_set1_epi64((long long)new[i]);
        if (keeps_pushed_out) {
            const __m512i out = _mm512_max_epu64(key, v[vectors - 1]);
            new[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(_mm512_alignr_epi64(out, out, 7)));
        }
#pragma clang loop unroll(full)
        for (int j = vectors - 1; j > 0; j--)
            v[j] = _mm512_min_epu64(v[j], _mm512_max_epu64(key, _mm512_alignr_epi64(v[j], v[j - 1], 7)));
        v[0] = _mm512_min_epu64(v[0], _mm512_max_epu64(key, _mm512_alignr_epi64(v[0], _mm512_setzero_si512(), 7)));
    }
    places unmarked = {{0, 0}};
#pragma clang loop unroll(full)
    for (int j = 0; j < vectors; j++) {
        if ((size_t)j * 8 < capacity) _mm512_storeu_si512(keys + j * 8, v[j]);
        unmarked.words[j / 8] |= (uint64_t)_mm512_testn_epi64_mask(v[j], _mm512_set1_epi64(NT_POOL_MARK)) << (j % 8 * 8);
    }
    return unmarked;
}

// Places without a key look marked; keys that fell out may not, but stand behind the end.
INLINE void insert_few(nt_pool *pool, uint64_t *new, size_t taken, const int vectors) {
    const places unmarked = insert_all(pool->keys, pool->count, pool->capacity, new, taken, false, vectors);
    pool->count = pool->count + taken < pool->capacity ? pool->count + taken : pool->capacity;
    const size_t next = unmarked.words[0]   ? (size_t)__builtin_ctzll(unmarked.words[0])
                        : unmarked.words[1] ? 64 + (size_t)__builtin_ctzll(unmarked.words[1])
                                            : pool->count;
    pool->next = next < pool->count ? next : pool->count;
}

// A larger pool by runs of 64: what is pushed out of one goes into the next. `least` is the least of the new keys.
INLINE void insert_by_runs(nt_pool *pool, uint64_t *new, size_t taken, uint64_t least) {
    const uint64_t *keys = pool->keys;
    // All before the least of the new keys stays as it is.
    size_t first = 0, place = 0;
    while (first + 64 <= pool->count && keys[first + 63] < least) first += 64;
    for (place = first; place < pool->count && keys[place] < least;) place++;
    if (place < pool->next) pool->next = place;
    const size_t count = pool->count;
    pool->count = count + taken < pool->capacity ? count + taken : pool->capacity;
    for (; first < pool->count; first += 64)
        insert_all(pool->keys + first, count > first ? count - first : 0, pool->capacity - first, new, taken, true, 8);
}

INLINE void offer(nt_pool *pool, const uint32_t *ids, const float *distances, size_t count, const uint32_t *links,
                  size_t degree) {
    uint64_t new[NT_POOL_BATCH_MAX + 16], least;
    const size_t taken = make_keys(ids, distances, count, nt_pool_limit(pool), new, &least);
    if (links) nt_prefetch_next(pool, least, links, degree);
    if (taken == 0) return;
    switch ((pool->capacity + 7) / 8) {
    case 1: insert_few(pool, new, taken, 1); break;
    case 2: insert_few(pool, new, taken, 2); break;
    case 3: insert_few(pool, new, taken, 3); break;
    case 4: insert_few(pool, new, taken, 4); break;
    case 5: insert_few(pool, new, taken, 5); break;
    case 6: insert_few(pool, new, taken, 6); break;
    case 7: case 8: insert_few(pool, new, taken, 8); break;
    case 9: case 10: insert_few(pool, new, taken, 10); break;
    case 11: case 12: insert_few(pool, new, taken, 12); break;
    case 13: case 14: case 15: case 16: insert_few(pool, new, taken, 16); break;
    default: insert_by_runs(pool, new, taken, least);
    }
    if (links == NULL) return;
    for (size_t place = pool->next, found = 0; place < pool->count && found < 2; place++) {
        if (pool->keys[place] & NT_POOL_MARK) continue;
        nt_prefetch(links + nt_candidate_number(pool->keys[place]) * degree, degree * sizeof *links);
        found++;
    }
}

VNNI void nt_offer_avx512vnni(nt_pool *pool, const uint32_t *ids, const float *distances, size_t count,
                              const uint32_t *links, size_t degree) {
    // A scan's rows are mostly too far once the pool is full: sixteen of them are passed over by one comparison.
    size_t done = 0;
    while (links == NULL && done + 16 <= count && pool->count == pool->capacity) {
        const float last = nt_candidate_distance(pool->keys[pool->count - 1]);
        if (_mm512_cmp_ps_mask(_mm512_loadu_ps(distances + done), _mm512_set1_ps(last), _CMP_LE_OQ))
            offer(pool, ids + done, distances + done, 16, NULL, 0);
        done += 16;
    }
    if (done < count) offer(pool, ids + done, distances + done, count - done, links, degree);
}

VNNI void nt_project_avx512vnni(const int8_t *query, size_t groups, const int8_t *blocks, const int32_t *column_sums,
                                int32_t *projections) {
    enum { REGISTERS = NT_LINE_VALUES / 16 };
    __m512i sums[REGISTERS];
#pragma clang loop unroll(full)
    for (int c = 0; c < REGISTERS; c++) sums[c] = _mm512_setzero_si512();
    for (size_t g = 0; g < groups; g++) {
        uint32_t four;
        memcpy(&four, query + 4 * g, 4);
        const __m512i q = _mm512_set1_epi32((int)(four ^ 0x80808080u));
        const int8_t *weights = blocks + g * NT_LINE_VALUES * 4;
#pragma clang loop unroll(full)
        for (int c = 0; c < REGISTERS; c++) sums[c] = _mm512_dpbusd_epi32(sums[c], q, _mm512_loadu_si512(weights + 64 * c));
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < REGISTERS; c++) {
        const __m512i bias = _mm512_slli_epi32(_mm512_loadu_si512(column_sums + 16 * c), 7);
        _mm512_storeu_si512(projections + 16 * c, _mm512_sub_epi32(sums[c], bias));
    }
}

VNNI float nt_centre_avx512vnni(const float *x, const float *centre, size_t dim, float *out) {
    __m512 greatest = _mm512_setzero_ps();
    for (size_t j = 0; j < dim; j += 16) {
        const __mmask16 there = dim - j >= 16 ? 0xffff : (__mmask16)((1u << (dim - j)) - 1);
        const __m512 v = _mm512_sub_ps(_mm512_maskz_loadu_ps(there, x + j), _mm512_maskz_loadu_ps(there, centre + j));
        _mm512_mask_storeu_ps(out + j, there, v);
        greatest = _mm512_max_ps(greatest, _mm512_abs_ps(v));
    }
    return _mm512_reduce_max_ps(greatest);
}

VNNI int32_t nt_quantise_avx512vnni(const float *x, float scale, size_t dim, int8_t *out) {
    const __m512 factor = _mm512_set1_ps(scale), most = _mm512_set1_ps(127), least = _mm512_set1_ps(-128);
    __m512i sum = _mm512_setzero_si512();
    for (size_t j = 0; j < dim; j += 16) {
        const __mmask16 there = dim - j >= 16 ? 0xffff : (__mmask16)((1u << (dim - j)) - 1);
        const __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(there, x + j), factor);
        const __m512i v = _mm512_cvtps_epi32(_mm512_max_ps(least, _mm512_min_ps(most, scaled)));
        sum = _mm512_add_epi32(sum, v);
        _mm_mask_storeu_epi8(out + j, there, _mm512_cvtepi32_epi8(v));
    }
    return _mm512_reduce_add_epi32(sum);
}

VNNI void nt_sum_codes_avx512vnni(const uint8_t *row, size_t dim, int32_t sums[2]) {
    const __m512i flip = _mm512_set1_epi8((char)0x80), ones = _mm512_set1_epi8(1);
    __m512i sum = _mm512_setzero_si512(), squares = sum;
    for (size_t j = 0; j < dim; j += 64) {
        const __mmask64 there = dim - j >= 64 ? ~0ull : (1ull << (dim - j)) - 1;
        // Beyond the row's end a code of 128, which is the value 0.
        const __m512i code = _mm512_mask_loadu_epi8(flip, there, row + j), value = _mm512_xor_si512(code, flip);
        sum = _mm512_dpbusd_epi32(sum, ones, value);
        // v * v = v * code - 128 * v, the latter from the sum.
        squares = _mm512_dpbusd_epi32(squares, code, value);
    }
    sums[0] = _mm512_reduce_add_epi32(sum);
    sums[1] = _mm512_reduce_add_epi32(squares) - 128 * sums[0];
}

NT_PLAIN_KERNELS(VNNI, avx512vnni)
#endif
