/* Links the model's files into the binary, so that one executable is all a machine needs.
   The files are found in model/ through the target's header search path. */

        .section .rodata.minilm, "a", %progbits

/* One file between two symbols, on a cache line's border: a row of the vectors is exactly four lines. */
.macro table name, file
        .balign 64
        .globl  \name\()_start
        .hidden \name\()_start
        .type   \name\()_start, %object
\name\()_start:
        .incbin "\file"
        .globl  \name\()_end
        .hidden \name\()_end
\name\()_end:
        .size   \name\()_start, \name\()_end - \name\()_start
.endm

        table minilm_vocabulary, "vocab.txt"
        table minilm_embeddings, "embeddings.i8"
        table minilm_scales, "scales.f16"
        table minilm_folding, "folding.bin"

/* Without this note a linker would make the whole process's stack executable. */
        .section .note.GNU-stack, "", %progbits
