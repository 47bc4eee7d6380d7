/* What the tests of syncd/api share: a laptop's book, a writer on it that can be told to be full or to fail, and what an
 * import reported, as text.
 */
#ifndef ROADBOOK_API_WORLD_H
#define ROADBOOK_API_WORLD_H

#include "syncd/api/api.h"
#include "tests/unit/laptop_world.h"

struct api_world {
    struct world w;
    struct api_book book;
    struct api_writer writer;
    struct buf report;                                     /* "2+ 3! 4~ 5=": created, refused, updated, as it was */
    struct err why;                                        /* of the last row refused */
    struct import_totals totals;
    int64_t last_id;
    int in_batch, batch_rows_max;                          /* 0: as many as the store takes */
    bool commit_fails;
    int64_t stop_after;                                    /* reports of progress; 0: never */
    int64_t progress_count;
};

void api_start(struct api_world *a);
void api_stop(struct api_world *a);
struct import_options api_options(struct api_world *a, const char *entity, const char *text);
enum status api_try(struct api_world *a, const struct import_options *options, struct err *err);
/* Imports and checks the report. */
void api_take(struct api_world *a, const char *entity, const char *text, const char *report);
void api_take_by(struct api_world *a, const char *entity, const char *match, const char *text, const char *report);
int64_t api_rows(struct api_world *a, const char *entity);
/* The row whose field is that text; 0: none. */
int64_t api_row(struct api_world *a, const char *entity, const char *field, const char *text);
/* What the row found by one field shows in another. */
void api_shows(struct api_world *a, const char *entity, const char *by, const char *text, const char *field,
               const char *expected);

#endif
