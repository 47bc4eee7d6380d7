/* Private to syncd/store: carrying what exists only on this laptop into a new file. */
#ifndef ROADBOOK_LAPTOP_RESCUE_H
#define ROADBOOK_LAPTOP_RESCUE_H

#include "syncd/store/laptop.h"

struct rescued {
    uint32_t n, counter;
    bool sent;
    int64_t made_ms, import_id;
    struct slice content, chain; /* content empty: a stub, or unreadable */
    bool done;
};

/* laptop_renumber.c: the new number, and what becomes of ids. */
struct renumber {
    uint32_t device;
    struct kept_batches kept; /* are at the server, under the old ids */
    int64_t *ids;             /* ascending: of rows made in batches behind it */
    size_t count;
};

struct rescue {
    struct store *store; /* the new one */
    struct arena mem;
    struct laptop_state state;
    bool has_state;
    struct rescued *rows;
    size_t count, cap;
    int64_t batches, unreadable;
    struct renumber *renumber; /* NULL: numbers stay */
};

/* Identity, settings, counters and outbox of an open file, into r->store. */
enum status rescue_restore(struct rescue *r, struct db *from, struct err *err) NODISCARD;

/* Between the reading of the outbox and its writing. */
enum status renumber_prepare(struct rescue *r, struct renumber *out, struct err *err) NODISCARD;
void renumber_batch(const struct renumber *r, const struct catalogue *cat, struct batch *batch);

#endif
