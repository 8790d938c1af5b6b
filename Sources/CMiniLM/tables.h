/* The tables the arithmetic reads; tables.S defines them. */

#ifndef MINILM_TABLES_H
#define MINILM_TABLES_H

#include "CMiniLM.h"

extern const int8_t minilm_embeddings_start[];
extern const uint16_t minilm_scales_start[];

#endif
