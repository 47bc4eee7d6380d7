/* Two rows are one: head office merges duplicates, and takes that back. The rules are PROTOCOL.md,
 * "Aliases".
 *
 * Each call is a transaction of its own (not between org_merge_begin and the commit).
 */
#ifndef ROADBOOK_UNITE_H
#define ROADBOOK_UNITE_H

#include "syncd/server/org.h"
#include "syncd/store/centre_unite.h"

enum unite_side { UNITE_SURVIVOR, UNITE_LOSER };
struct unite_choice { /* whose value of this field, and of its group, stands */
    const struct field *field;
    enum unite_side side;
};
struct unite_order {
    int64_t loser, survivor;
    const struct unite_choice *choices;
    size_t choice_count;
    struct slice person;
};

enum unite_how {
    UNITE_SAME,    /* both have it */
    UNITE_KEEPS,   /* the survivor's stands; what the loser has goes to the ledger, if anything */
    UNITE_TAKES,   /* the loser's stands, likewise */
    UNITE_COMBINES /* sums, sets and texts: nothing is lost */
};
struct unite_cell {
    const struct cell *cell;
    enum unite_how how;
    const struct value *survivor, *loser, *stands; /* cell->count each */
};
struct unite_result {
    const struct entity *entity;
    int64_t loser, survivor;  /* as they were found: ids that are another row now are followed */
    struct unite_cell *cells; /* of every cell that one of both has */
    size_t cell_count;
    size_t repointed; /* rows that named the loser */
    size_t twins;     /* of these, rows that became one with one of the survivor's, by their key */
};

/* The loser becomes the survivor. dry_run: all is worked out, and nothing is kept. ST_NOT_FOUND: a
 * row is not there; ST_INVALID: rows of different kinds, or of a kind that is not merged; a choice
 * of a field that combines; ST_CONFLICT: they are one already, one of them is deleted, one owns the
 * other, or the server recovers. */
enum status org_unite(struct org *org, const struct unite_order *order, bool dry_run,
                      struct arena *mem, struct unite_result *out, struct err *err) NODISCARD;

struct unite_parting { /* what came of taking it back */
    const struct entity *entity;
    int64_t loser, survivor;
    size_t returned;         /* rows that name the loser again */
    size_t parted;           /* twins that are two rows again */
    size_t restored;         /* cells of the survivor that are as they were */
    struct unite_cell *kept; /* cells that cannot be: the survivor's changed since. survivor: now */
    size_t kept_count;
};
/* The loser is a row of its own again, as it was; what came with it goes back with it. Whoever
 * changed what since keeps his change: the result says where. ST_NOT_FOUND: it was never merged;
 * ST_CONFLICT: undone already, or the survivor is no more. */
enum status org_part(struct org *org, int64_t loser, bool dry_run, struct arena *mem,
                     struct unite_parting *out, struct err *err) NODISCARD;

/* Are rows of this entity merged by head office? */
bool unite_is_possible(const struct entity *e);

#endif
