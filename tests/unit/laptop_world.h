/* A laptop's store with a world made by hand: clocks that a test turns, and replies put together line by line,
 * as a server would send them.
 */
#ifndef ROADBOOK_LAPTOP_WORLD_H
#define ROADBOOK_LAPTOP_WORLD_H

#include "tests/unit/store_fixture.h"

enum { WORLD_DEVICE = 3, WORLD_LINES_MAX = 64, WORLD_RECORDS_MAX = 64 };

struct world {
    struct fixture f;
    struct env env;
    int64_t wall, boot, boot_step;                         /* boot_step: each look at the boot clock takes that long */
    uint64_t boot_id;
    struct store *store;
    struct round_request request;
    struct round_reply reply;
    int64_t seq;                                           /* the server's head */
    int64_t epoch;
};

void world_start(struct world *w);
void world_stop(struct world *w);
void world_reopen(struct world *w);

const struct entity *world_entity(struct world *w, const char *entity);
/* One edit of a field from text; kind as the operator says. */
struct field_edit world_edit(struct world *w, const char *entity, const char *field, enum field_edit_kind kind,
                             const char *text);
/* A transaction of its own each. Return the row, the batch. */
int64_t world_add(struct world *w, const char *entity, const char *field, const char *text);
int64_t world_add2(struct world *w, const char *entity, const char *field, const char *text, const char *field2,
                   const char *text2);
uint32_t world_set(struct world *w, const char *entity, int64_t row, const char *field, const char *text);
uint32_t world_op(struct world *w, const char *entity, int64_t row, const char *field, enum field_edit_kind kind,
                  const char *text, const struct form *form);
uint32_t world_rm(struct world *w, const char *entity, int64_t row);
enum status world_try_set(struct world *w, const char *entity, int64_t row, const char *field, const char *text,
                          struct err *err);
struct form world_form(struct world *w, const char *entity, int64_t row);
/* What the person sees; "-" when there is no such row to see. */
const char *world_text(struct world *w, const char *entity, int64_t row, const char *field);
int64_t world_seq(struct world *w, const char *entity, int64_t row);
bool world_sees(struct world *w, const char *entity, int64_t row);
int64_t world_number(struct world *w, const char *sql);

/* Asks; the reply is empty at first, with the cursor at the head. */
void world_ask(struct world *w);
/* The first edit of a batch asked. */
const struct edit *world_asked(struct world *w, size_t batch);
/* A receipt that applies all changes of the request's next batch without one; each takes the next seq. */
struct receipt *world_receipt(struct world *w);
void world_receipts(struct world *w);                      /* for all batches asked */
void world_values(struct world *w, struct receipt_edit *edit, const char *entity, const char *field, const char *text);
/* A record at the next seq. flags as in records. Cells are added to the last record. */
struct record *world_record(struct world *w, const char *entity, int64_t row, uint32_t flags);
void world_cell(struct world *w, const char *entity, const char *field, const char *text);
void world_apply(struct world *w);                         /* all slices */
enum status world_try_apply(struct world *w, size_t slices_max, struct err *err);
/* A row from the server: a round of its own. */
int64_t world_pull(struct world *w, const char *entity, int64_t row, const char *field, const char *text);
/* An account from the server, at seq 1. */
int64_t world_pulled(struct world *w, const char *field, const char *text);
/* Everything in the outbox is taken as it is. */
void world_sync(struct world *w);

#endif
