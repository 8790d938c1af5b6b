// How candidates get into a pool one after another, for each instruction set to compile with an insertion of its own.
#pragma once
#include "CCodes.h"

/// Inserts a key among `count` others, behind its equals; returns its place. There is room for eight more.
typedef size_t nt_insert_key(uint64_t *keys, size_t count, uint64_t key);

// From the end, one by one.
static inline size_t nt_insert_backwards(uint64_t *keys, size_t count, uint64_t key) {
    size_t place = count;
    while (place > 0 && keys[place - 1] > key) {
        keys[place] = keys[place - 1];
        place--;
    }
    keys[place] = key;
    return place;
}

// A key at or above this is not taken in.
static inline uint64_t nt_pool_limit(const nt_pool *pool) {
    return pool->count == pool->capacity ? pool->keys[pool->count - 1] : ~0ull;
}

// Which is followed next is known before the insertions, and its links take as long to come as they do.
static inline void nt_prefetch_next(nt_pool *pool, uint64_t least, const uint32_t *links, size_t degree) {
    while (pool->next < pool->count && pool->keys[pool->next] & NT_POOL_MARK) pool->next++;
    if (pool->next < pool->count && pool->keys[pool->next] < least) least = pool->keys[pool->next];
    if (least != ~0ull) nt_prefetch(links + nt_candidate_number(least) * degree, degree * sizeof *links);
}

static inline __attribute__((always_inline)) void nt_offer(nt_pool *pool, const uint32_t *ids, const float *distances,
                                                           size_t count, const uint32_t *links, size_t degree,
                                                           nt_insert_key *insert) {
    uint64_t *const keys = pool->keys, new[NT_POOL_BATCH_MAX];
    uint64_t limit = nt_pool_limit(pool), least = ~0ull;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t key = nt_candidate_key(distances[i], ids[i]);
        new[taken] = key;
        taken += key < limit;
        least = key < least ? key : least;
    }
    if (links) nt_prefetch_next(pool, least, links, degree);
    for (size_t i = 0; i < taken; i++) {
        if (new[i] >= limit) continue;
        // Full: the last gives way.
        const size_t others = pool->count == pool->capacity ? pool->count - 1 : pool->count++;
        const size_t place = insert(keys, others, new[i]);
        limit = nt_pool_limit(pool);
        if (place < pool->next) pool->next = place;
        if (links && place < pool->next + 2) nt_prefetch(links + nt_candidate_number(new[i]) * degree, degree * sizeof *links);
    }
}
