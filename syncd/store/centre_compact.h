/* What the server need not keep for ever: tombstones that every laptop has passed, texts that no
 * laptop can still stand on, what is older than the history that the org keeps.
 *
 * A tombstone that is collected leaves the table of its entity, and with it all rules by which an
 * edit would bring the row back. What it was stays here, so that head office can restore it, as
 * long as history is kept; that it was, for ever: the log still says "deleted at this seq" to a
 * laptop that comes after 400 days, and nobody makes a row with its id.
 *
 * The log itself is never thinned: its entries are what positions, chain and late laptops stand on.
 */
#ifndef ROADBOOK_CENTRE_COMPACT_H
#define ROADBOOK_CENTRE_COMPACT_H

#include "syncd/store/centre_scope.h"

enum {
    CENTRE_KEEP_DAYS_MAX = 36500,
    CENTRE_UNITS_MAX = 100000 /* deletes that one run collects; the next goes on */
};

/* Days of history; 0: all of it, for ever. */
enum status centre_keep_history(struct centre *c, int64_t *out_days, struct err *err) NODISCARD;
/* ST_INVALID: not from 0 to CENTRE_KEEP_DAYS_MAX. */
enum status centre_keep_history_set(struct centre *c, int64_t days, struct err *err) NODISCARD;

/* How far one may go. */
struct centre_horizon {
    int64_t seq;      /* every laptop that was here within the lease has it, and has nothing unsent
                         that was reported */
    int64_t aged_seq; /* committed longer ago than the lease; at most seq */
    int64_t old_seq;  /* older than the history that is kept; at most seq. 0: all is kept */
    int64_t old_ms;   /* the time that belongs to it; 0: all is kept */
    int64_t lease_ms; /* what was before this is over the lease */
    int64_t laptops, away; /* that are waited for; that were not here within the lease */
};
enum status centre_horizon(struct centre *c, struct centre_horizon *out, struct err *err) NODISCARD;

/* Deletes that the horizon has passed, by seq. In a read transaction or none. */
enum status centre_passed_deletes(struct centre *c, const struct centre_horizon *horizon,
                                  struct arena *mem, int64_t **out_units, size_t *out_count,
                                  struct err *err) NODISCARD;
/* Collects the rows of a delete, all or none: owned rows of other deletes come first, and rows that
 * something still needs (a survivor of a merge, the employee of a user, what waits for its date)
 * stay. *out_rows 0: none. Inside a write transaction. */
enum status centre_collect(struct centre *c, int64_t unit, const struct centre_horizon *horizon,
                           int64_t *out_rows, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ what was collected */

struct centre_collected {
    uint32_t entity_tag;
    int64_t row, unit, seq; /* of the delete, and of the row */
    int64_t deleted_ms;
    bool is_kept; /* what it was is still there: content */
    struct centre_row content;
};
enum status centre_collected(struct centre *c, int64_t row, struct arena *mem,
                             struct centre_collected *out, bool *out_found,
                             struct err *err) NODISCARD;
/* Was this row collected, as it stood at this seq (0: at any)? */
enum status centre_was_collected(struct centre *c, int64_t row, int64_t seq, bool *out,
                                 struct err *err) NODISCARD;
/* Rows of the same delete, owners first. */
enum status centre_collected_unit(struct centre *c, int64_t unit, struct arena *mem,
                                  int64_t **out_rows, size_t *out_count, struct err *err) NODISCARD;
/* The row is in the book again. */
enum status centre_collected_drop(struct centre *c, int64_t row, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ history */

enum compact_part {
    COMPACT_TEXTS,    /* old versions below every laptop's base */
    COMPACT_LEAVES,   /* which homes rows left, over the lease */
    COMPACT_LEDGER,   /* entries older than the history that is kept */
    COMPACT_JOURNAL,  /* batches older than that: only their hashes stay */
    COMPACT_CONTENTS, /* what collected rows were, older than that */
    COMPACT_PART_COUNT
};
struct compact_place { /* where a part goes on; starts zero */
    int64_t a, b;
};
/* The next slice, some hundred items, inside a write transaction. *out_done: the part is done. */
enum status centre_compact(struct centre *c, enum compact_part part,
                           const struct centre_horizon *horizon, struct compact_place *place,
                           int64_t *out_items, bool *out_done, struct err *err) NODISCARD;

/* When the last whole run ended; 0: never. */
enum status centre_compacted(struct centre *c, int64_t *out_ms, struct err *err) NODISCARD;
enum status centre_compacted_note(struct centre *c, struct err *err) NODISCARD;

/* Between slices, so that whoever waits for the file gets it. */
void centre_let_others(void);

/* Bytes of the file that hold something. */
enum status centre_bytes(struct centre *c, int64_t *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ personal data */

#define CENTRE_ERASED_TEXT "—" /* of a field that must not be empty */
struct centre_erased {         /* how many of each were touched */
    int64_t batches, ledger, texts, held, images;
};
/* Takes the values of the row's personal cells out of journal, ledger, quarantine, old texts and
 * kept images of the row, under all the names that it ever had. The row itself the caller has
 * edited. Hashes stay, so that every chain is whole. Inside a write transaction. */
enum status centre_erase_personal(struct centre *c, const struct entity *e, int64_t row,
                                  struct centre_erased *out, struct err *err) NODISCARD;
/* The engine's own log is emptied into the file. *out_done false: a reader is in the way. Outside
 * of a transaction. */
enum status centre_flushed(struct centre *c, bool *out_done, struct err *err) NODISCARD;

#endif
