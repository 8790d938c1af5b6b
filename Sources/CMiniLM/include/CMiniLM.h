/* The built-in model's tables, which live in the binary, and the arithmetic over them. */

#ifndef CMINILM_H
#define CMINILM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MINILM_DIMENSION = 256 };

/* The tables, read-only and alive as long as the process. Sizes are in bytes. */
const uint8_t *_Nonnull minilm_vocabulary(size_t *_Nonnull bytes);
const uint8_t *_Nonnull minilm_folding(size_t *_Nonnull bytes);

/* How many rows the two tables of vectors hold, or 0 if they do not belong together. */
size_t minilm_rows(void);

/* sum[i] += scale(id) * code(id)[i] for each id in order. REQUIRES: every id < minilm_rows(); sum has 256 places. */
void minilm_add_rows(float *_Nonnull sum, const uint32_t *_Nonnull ids, size_t count);

/* Makes the vector unit length and answers true, or answers false and leaves it if it has no direction. */
bool minilm_make_unit(float *_Nonnull vector);

#endif
