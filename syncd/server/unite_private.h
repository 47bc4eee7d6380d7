/* Private to syncd/server: what the files of unite share. */
#ifndef ROADBOOK_UNITE_PRIVATE_H
#define ROADBOOK_UNITE_PRIVATE_H

#include "syncd/server/merge.h"
#include "syncd/server/unite.h"

struct unite { /* of one pair of rows */
    struct merge *m;
    const struct unite_choice *choices;
    size_t choice_count;
    struct centre_row from, to; /* to is changed as the cells are united */
    int64_t seq;                /* which the survivor takes */
    uint64_t mask;              /* cells of the survivor whose values changed */
    struct unite_cell *cells;
    size_t cell_count;
};

/* All cells, one after the other; values that lose go to the ledger. u->cells is filled. */
enum status unite_cells(struct unite *u, struct err *err) NODISCARD;
/* The next entry of the log is of a row that leaves its homes. room must live until then. */
void unite_log_left(struct merge *m, const struct homes *left, struct log_homes *room);

/* Of head office, now; batch: without changes. Inside a write transaction. */
enum status unite_start(struct org *org, struct arena *mem, struct batch *batch, struct merge *out,
                        struct err *err) NODISCARD;

#endif
