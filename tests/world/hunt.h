/* Shared by the files of the hunt: hunt.c says what it is.
 *
 *     hunt.c         runs, and what all need
 *
 *     hunt_people.c  what people do
 *
 *     hunt_scope.c   who sees what
 *
 *     hunt_unite.c   rows that become one
 *
 *     hunt_oracle.c  what must be so at rest
 */
#ifndef ROADBOOK_HUNT_H
#define ROADBOOK_HUNT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/world.h"

enum {
    EDITS_MAX = 256,
    ROWS_MAX = 64,
    LAPTOPS = 3,
    STEPS = 34,
    STEPS_ROLLBACK = 44,
    WORD_BYTES = 24
};
enum { MASK_WORDS = EDITS_MAX / 64 };

struct mask {
    uint64_t word[MASK_WORDS];
};

enum kind {
    KIND_CREATE,
    KIND_DELETE,
    KIND_LAST,
    KIND_GROUP,
    KIND_COUNT,
    KIND_SET,
    KIND_TEXT,
    KIND_MAX,
    KIND_STATE,
    KIND_OFFICE,
    KIND_REF
};

struct place {
    const char *entity, *field, *second; /* second: the other field of a group */
    enum kind kind;
};
enum fate { FATE_PENDING, FATE_ACCEPTED, FATE_HELD, FATE_UNDONE };

/* What somebody did, and what he had been shown. */
struct deed {
    size_t laptop;
    uint32_t batch;
    int64_t row, final; /* as it was named; what it is at the end */
    const struct place *place; /* NULL: create or delete */
    enum kind kind;
    struct mask seen; /* what its author had been shown, itself included */
    int64_t delta;
    bool add;
    char word[WORD_BYTES];    /* element, or word inserted */
    char removed[WORD_BYTES]; /* text: word taken out */
    enum fate fate;
};

struct profile {
    const char *name;
    unsigned kinds; /* bits of enum kind */
    size_t accounts;
    bool rows;     /* creates and deletes */
    bool homes;    /* people see only what they are granted, and that changes */
    bool rollback; /* creates; the server goes back in time once, unannounced */
    bool unites;   /* head office merges accounts and contacts */
};
#define BIT(k) (1u << (k))
struct open_form {
    bool open;
    const struct entity *entity;
    struct form form;
};

struct united { /* an account that became another */
    int64_t from, to;
    bool keeps[LAPTOPS]; /* who sees the survivor only because he saw the other */
};
enum { UNITED_MAX = 16 };

struct run {
    struct world world;
    struct arena mem;
    const struct profile *profile;
    uint64_t random;
    bool trace;
    struct deed edits[EDITS_MAX];
    size_t edit_count;
    struct open_form forms[LAPTOPS];
    size_t checked; /* rows in replies that were looked at */
    bool backed, rolled;
    struct united united[UNITED_MAX];
    size_t united_count;
    /* Accepted in the life that is forgotten, but nobody holds the receipt: in the next they are
     * new, and what was made on top of them looks concurrent. Nothing is lost; order may be. */
    struct mask orphans;
    char failure[1024];
};

#define SAY(r, ...)                                                                                \
    do {                                                                                           \
        if ((r)->trace) printf(__VA_ARGS__);                                                       \
    } while (0)

static inline bool has(const struct mask *m, size_t edit) {
    return m->word[edit / 64] >> edit % 64 & 1;
}
static inline void put(struct mask *m, size_t edit) {
    m->word[edit / 64] |= (uint64_t)1 << edit % 64;
}

/* ------------------------------------------------------------------ hunt.c */

extern const struct place hunt_places[];
extern const size_t hunt_place_count;
uint64_t hunt_draw(struct run *r, uint64_t below);
void hunt_join(struct mask *m, const struct mask *other);
void hunt_fail(struct run *r, const char *what, int64_t a, int64_t b);
void hunt_fail_err(struct run *r, const char *what, const struct err *err);
/* The edit that a value of a place names; -1 for none. */
int64_t hunt_edit_in(struct run *r, const struct place *p, struct value v);
const struct entity *hunt_entity_of(struct run *r, const struct place *p);
const struct field *hunt_field_of(struct run *r, const struct place *p);
/* What a shown value has seen: the edits behind it. Sets and texts: all whose elements and words
 * stand there. */
void hunt_see(struct run *r, const struct place *p, const struct entity *e,
              const struct value *values, struct mask *out);

/* ------------------------------------------------------------------ hunt_people.c */

/* Somebody does something. */
void hunt_step(struct run *r);
/* NULL: too many. It counts once edit_count does. */
struct deed *hunt_new_edit(struct run *r, struct world_laptop *l, int64_t row,
                           const struct place *p, enum kind kind);
int64_t hunt_any_row(struct run *r, struct store *store, const struct entity *e);

/* ------------------------------------------------------------------ hunt_scope.c */

/* Grants instead of everything for everyone, and replies are looked at. */
enum status hunt_scope_begin(struct run *r, struct err *err) NODISCARD;
/* Head office gives or takes back. */
void hunt_office(struct run *r);
/* Each book is what its person may see. */
enum status hunt_compare(struct run *r, struct buf *out_difference, struct err *err) NODISCARD;

bool hunt_sees_team(struct run *r, const struct world_laptop *l, int64_t account);

/* ------------------------------------------------------------------ hunt_unite.c */

/* Head office merges two accounts, or two contacts. */
void hunt_unite(struct run *r);
/* Somebody notes who took part in a visit: of both contacts of a merge there may be a note. */
void hunt_take_part(struct run *r, struct world_laptop *l);
/* The row that an id is now. */
int64_t hunt_final(struct run *r, int64_t id);

/* ------------------------------------------------------------------ hunt_oracle.c */

/* All sync until nothing is left; then everything that must be so is looked at. */
void hunt_look(struct run *r);

#endif
