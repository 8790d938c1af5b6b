#!/usr/bin/env python3
"""Writes Sources/CMiniLM/model/folding.bin: what the tokenizer does with each Unicode scalar.

The table puts rules 1 to 3 of the uncased BERT tokenizer (drop, space, NFD without marks, lower case, punctuation)
into one look-up, and pins one Unicode version, so that a toolchain's newer tables cannot change the ids of a text
that is already indexed. Run it with CPython 3.11, whose unicodedata is Unicode 14.0.0:

    python3 tools/make-folding-table.py

Layout, little-endian:

    u32 x 4                  pages, blocks, values, sequences: how many of each follow
    u16 x pages              number of the block for the 32 scalars of a page
    u16 x blocks x 32        number of the value for a scalar
    u32 x values             kind << 24 | the folded scalar (0: the scalar itself), or a sequence's number, from 1
    u32 x sequences x 3      up to three folded scalars, 0 where there is none

Scalars past the last page are dropped ones.
"""

import pathlib
import struct
import sys
import unicodedata

UNICODE_VERSION = "14.0.0"
PAGE_SCALARS = 32

# These numbers are the raw values of `Folding.Kind`.
DROP, SPACE, LETTER, ALONE, HANGUL, SEQUENCE, CAPITAL_SIGMA = range(7)

IDEOGRAPHS = [
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
]
ASCII_PUNCTUATION = [(33, 47), (58, 64), (91, 96), (123, 126)]


def within(ranges, code):
    return any(first <= code <= last for first, last in ranges)


def is_punctuation(character):
    return within(ASCII_PUNCTUATION, ord(character)) or unicodedata.category(character).startswith("P")


def folded(code):
    """(kind, scalars) of one scalar; scalars is empty for kinds that need none."""
    character = chr(code)
    if character in "\t\n\r":
        return SPACE, ()
    if code in (0, 0xFFFD) or unicodedata.category(character) in ("Cc", "Cf", "Cn", "Co", "Cs"):
        return DROP, ()
    if character.isspace():  # Zs by rule 1; Zl and Zp because rule 3 splits at all white space
        return SPACE, ()
    if 0xAC00 <= code <= 0xD7A3:
        return HANGUL, ()  # decomposed by arithmetic instead of by 11,172 entries
    if code == 0x03A3:
        return CAPITAL_SIGMA, ()  # the one letter whose lower case depends on its neighbours
    kept = [c for c in unicodedata.normalize("NFD", character) if unicodedata.category(c) != "Mn"]
    result = "".join(kept).lower()
    if not result:
        return DROP, ()
    assert "\u03a3" not in kept and not any(c.isspace() for c in result), hex(code)
    if within(IDEOGRAPHS, code) or (len(result) == 1 and is_punctuation(result)):
        assert len(result) == 1, hex(code)
        return ALONE, (ord(result),)
    assert not any(is_punctuation(c) for c in result), hex(code)
    if len(result) == 1:
        return LETTER, (ord(result),)
    assert len(result) <= 3, hex(code)
    return SEQUENCE, tuple(map(ord, result))


def check_reordering_is_moot(vocabulary):
    """NFD also sorts marks. Of those, the tokenizer keeps only marks that no token contains, so that a word
    with one is [UNK] in any order; this is what lets the table skip the sorting."""
    for token in vocabulary:
        assert not any(unicodedata.combining(c) for c in token), token


def number(item, numbers):
    return numbers.setdefault(item, len(numbers))


def table():
    values, blocks, sequences, pages = {}, {}, {}, []
    for first in range(0, 0x110000, PAGE_SCALARS):
        block = []
        for code in range(first, first + PAGE_SCALARS):
            kind, scalars = folded(code)
            payload = 1 + number(scalars, sequences) if kind == SEQUENCE else (scalars[0] if scalars else 0)
            # A letter that folds to itself is written as payload 0, so that all such letters share one value.
            if kind in (LETTER, ALONE) and payload == code:
                payload = 0
            block.append(number(kind << 24 | payload, values))
        pages.append(number(tuple(block), blocks))
    all_dropped = blocks[(values[DROP << 24],) * PAGE_SCALARS]
    while pages[-1] == all_dropped:
        pages.pop()
    if len(pages) % 2:
        pages.append(all_dropped)  # so that the 32-bit values start at a multiple of four
    return pages, list(blocks), list(values), list(sequences)


def encoded(pages, blocks, values, sequences):
    assert len(values) < 1 << 16 and len(pages) % 2 == 0
    out = struct.pack("<4I", len(pages), len(blocks), len(values), len(sequences))
    out += struct.pack(f"<{len(pages)}H", *pages)
    for block in blocks:
        out += struct.pack(f"<{PAGE_SCALARS}H", *block)
    out += struct.pack(f"<{len(values)}I", *values)
    for scalars in sequences:
        out += struct.pack("<3I", *(scalars + (0,) * (3 - len(scalars))))
    return out


def main():
    if unicodedata.unidata_version != UNICODE_VERSION:
        sys.exit(f"needs Unicode {UNICODE_VERSION}, this Python has {unicodedata.unidata_version}")
    model = pathlib.Path(__file__).resolve().parent.parent / "Sources/CMiniLM/model"
    check_reordering_is_moot((model / "vocab.txt").read_text(encoding="utf-8").split("\n"))
    parts = table()
    data = encoded(*parts)
    (model / "folding.bin").write_bytes(data)
    print("pages, blocks, values, sequences:", *map(len, parts), "bytes:", len(data))


if __name__ == "__main__":
    main()
