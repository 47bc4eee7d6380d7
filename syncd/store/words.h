/* Words of a text, for searching: what is a word, and how it is folded. Private to syncd/store.
 *
 * Every Chinese, Japanese or Korean character is a word of its own; a run of other letters and
 * digits is one. Folding is by code point, so that positions in folded and original text run
 * together: case of Latin, Greek and Cyrillic, full-width forms. It is lighter than text_fold on
 * purpose: it runs for every save.
 */
#ifndef ROADBOOK_STORE_WORDS_H
#define ROADBOOK_STORE_WORDS_H

#include "protocol/base/base.h"

enum { WORD_BYTES_MAX = 64 }; /* longer words count by their beginning */

struct word {
    size_t start, end; /* bytes of the text */
    bool alone;        /* one character of a script without blanks */
    size_t len;
    uint8_t folded[WORD_BYTES_MAX + 4];
};

/* The next word at or after *at, which moves behind it; false at the end. */
bool word_next(struct slice text, size_t *at, struct word *out);

#endif
