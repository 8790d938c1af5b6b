/* Hands out the tables that tables.S links in, with their sizes. */

#include "tables.h"

extern const uint8_t minilm_vocabulary_start[], minilm_vocabulary_end[];
extern const uint8_t minilm_folding_start[], minilm_folding_end[];
extern const int8_t minilm_embeddings_end[];
extern const uint16_t minilm_scales_end[];

const uint8_t *minilm_vocabulary(size_t *bytes) {
    *bytes = (size_t)(minilm_vocabulary_end - minilm_vocabulary_start);
    return minilm_vocabulary_start;
}

const uint8_t *minilm_folding(size_t *bytes) {
    *bytes = (size_t)(minilm_folding_end - minilm_folding_start);
    return minilm_folding_start;
}

size_t minilm_rows(void) {
    size_t codes = (size_t)(minilm_embeddings_end - minilm_embeddings_start);
    size_t scales = (size_t)(minilm_scales_end - minilm_scales_start);
    return codes == scales * MINILM_DIMENSION ? scales : 0;
}
