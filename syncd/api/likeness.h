/* Which rows may be the same firm, or the same person: by registration number, name, telephone,
 * address and e-mail. What is alike is worked out from folded texts, without a network and without
 * a dictionary: widths, case, blanks and punctuation do not count, nor do legal forms ("Co., Ltd",
 * 有限公司). Traditional characters are not turned into simplified ones, and no pinyin is made.
 *
 * Rows are put into groups first (the same number, the same telephone, rare pairs of letters of the
 * name), so that 100,000 of them take seconds and not hours.
 */
#ifndef ROADBOOK_LIKENESS_H
#define ROADBOOK_LIKENESS_H

#include "syncd/store/store.h"

enum {
    LIKENESS_MIN = 60,          /* pairs below this are not worth a look */
    LIKENESS_ROWS_MAX = 2000000 /* of one entity */
};

enum likeness_reason {                      /* bits */
                       LIKENESS_NUMBER = 1, /* registration number */
                       LIKENESS_NAME = 2,   /* the same but for legal form, case, blanks */
                       LIKENESS_SIMILAR_NAME = 4,
                       LIKENESS_SHORT_NAME = 8, /* the short name of one is the name of the other */
                       LIKENESS_PHONE = 16,
                       LIKENESS_EMAIL = 32,
                       LIKENESS_ADDRESS = 64,
                       LIKENESS_ACCOUNT = 128, /* contacts of one account */
                       LIKENESS_OTHER_NUMBER =
                           256 /* speaks against it: both have numbers, that differ */
};

struct likeness_pair {
    int64_t a, b; /* rows, a < b */
    int score;    /* 0 to 100 */
    unsigned reasons;
};

/* Is there anything to compare rows of this entity by? */
bool likeness_is_possible(const struct entity *e);
/* All pairs with at least that score, the likeliest first. row 0: of all rows, else with this one.
 * ST_INVALID: an entity that is not compared. */
enum status likeness_find(struct store *store, const struct entity *e, int64_t row, int min,
                          struct arena *mem, struct likeness_pair **out, size_t *out_count,
                          struct err *err) NODISCARD;
/* "same name; same telephone" */
void likeness_write(unsigned reasons, enum lang lang, struct buf *out);

/* The parts, for tests. The name without what does not count, in mem. */
enum status likeness_name(struct slice name, struct arena *mem, struct slice *out,
                          struct err *err) NODISCARD;
/* The digits that tell telephones apart; empty: none. */
enum status likeness_phone(struct slice phone, struct arena *mem, struct slice *out,
                           struct err *err) NODISCARD;
/* How many pairs of letters two names have in common, of those that they have: 0 to 100. */
int likeness_of_names(struct slice a, struct slice b);

#endif
