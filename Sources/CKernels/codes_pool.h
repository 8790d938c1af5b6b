// How candidates get into a pool, for each instruction set to compile with an insertion of its own.
#pragma once
#include "CCodes.h"

#define NT_POOL_MARK 0x80000000u

/// Inserts a key among `count` others, for which there is room; returns its place.
typedef size_t nt_insert_key(uint64_t *keys, size_t count, uint64_t key);

static inline __attribute__((always_inline)) void nt_offer(nt_pool *pool, const uint32_t *ids, const float *distances,
                                                           size_t count, const uint32_t *links, size_t degree,
                                                           nt_insert_key *insert) {
    uint64_t *const keys = pool->keys, new[NT_POOL_BATCH_MAX];
    uint64_t limit = pool->count == pool->capacity ? keys[pool->count - 1] & ~0xffffffffull : ~0ull, least = ~0ull;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t key = nt_candidate_key(distances[i], ids[i]);
        new[taken] = key;
        taken += key < limit;
        least = key < least ? key : least;
    }
    // Which is followed next is known before the insertions, and its links take as long to come as they do.
    if (links) {
        while (pool->next < pool->count && keys[pool->next] & NT_POOL_MARK) pool->next++;
        if (pool->next < pool->count && keys[pool->next] < least) least = keys[pool->next];
        if (least != ~0ull) nt_prefetch(links + (size_t)(uint32_t)least * degree, degree * sizeof *links);
    }
    for (size_t i = 0; i < taken; i++) {
        if (new[i] >= limit) continue;
        // Full: the last gives way.
        const size_t others = pool->count == pool->capacity ? pool->count - 1 : pool->count++;
        const size_t place = insert(keys, others, new[i]);
        if (pool->count == pool->capacity) limit = keys[pool->count - 1] & ~0xffffffffull;
        if (place < pool->next) pool->next = place;
        if (links && place < pool->next + 2) nt_prefetch(links + (size_t)(uint32_t)new[i] * degree, degree * sizeof *links);
    }
}
