/* Private to syncd/server: the merge of one batch, shared by its files.
 *
 *     push.c    batches of a request, in order, exactly once
 *
 *     merge.c   one batch, one change; what is not taken is kept
 *
 *     judge.c   may it come in?
 *
 *     edit.c    edits meet cells; creations, twins
 *
 *     revive.c  deletes, and rows that come back
 *
 *     reply.c   receipts and pages
 *
 * No threads, no clocks of its own, no SQL: everything goes through centre.h.
 */
#ifndef ROADBOOK_MERGE_H
#define ROADBOOK_MERGE_H

#include "syncd/server/org.h"

struct merge { /* of one batch */
    struct centre *c;
    const struct catalogue *cat;
    struct arena *mem;
    struct centre_device author;
    const struct envelope *envelope; /* NULL: made at the server, now */
    const struct batch *batch;
    const struct change *change;
    uint32_t change_at; /* position of the change in the batch */
    int64_t now_ms;
    int64_t when_ms; /* time of the change's first edit */
    bool approved;   /* head office said yes: who may write is not asked */
};

/* An edit on its way in. */
struct merge_edit {
    struct edit edit;        /* references resolved */
    const struct cell *cell; /* NULL: this release does not know it */
    struct outcome_edit verdict;
};

static inline bool is_taken(enum outcome outcome) {
    return outcome < OUTCOME_WAITING;
}
static inline enum outcome worse(enum outcome a, enum outcome b) {
    return a > b ? a : b;
}

/* ------------------------------------------------------------------ merge.c */

/* Merges all changes. *out: one per change, in m->mem. */
enum status merge_batch(struct merge *m, struct outcome_change **out, struct err *err) NODISCARD;
/* The server's time of an edit with this base. */
enum status merge_time(struct merge *m, int64_t base_seq, int64_t *out_ms,
                       struct err *err) NODISCARD;
enum status merge_log(struct merge *m, enum log_kind kind, const struct entity *e, int64_t row,
                      enum outcome outcome, struct err *err) NODISCARD;
/* Puts an edit (NULL: the whole change) into quarantine, at the seq that comes next. */
enum status merge_hold(struct merge *m, const struct merge_edit *me, struct outcome_edit verdict,
                       struct err *err) NODISCARD;
/* Nothing of the change comes in: quarantine and log. out->edits are there. */
enum status merge_refuse(struct merge *m, const struct entity *e, int64_t row,
                         struct outcome_edit verdict, struct outcome_change *out,
                         struct err *err) NODISCARD;
/* Entries of quarantine that the change releases. */
enum status merge_release(struct merge *m, struct err *err) NODISCARD;
/* The base of an edit made on top of one that did not come in is the base of that one. */
enum status merge_stands_on(struct merge *m, int64_t named, uint32_t cell_tag, struct base *base,
                            struct err *err) NODISCARD;

/* ------------------------------------------------------------------ judge.c */

/* row NULL: a creation. Sets me->verdict. */
enum status judge_edit(struct merge *m, const struct entity *e, const struct centre_row *row,
                       struct merge_edit *me, struct err *err) NODISCARD;
enum status judge_create(struct merge *m, const struct entity *e, struct merge_edit *edits,
                         struct outcome_edit *out, struct err *err) NODISCARD;
enum status judge_delete(struct merge *m, const struct centre_row *row, struct outcome_edit *out,
                         struct err *err) NODISCARD;
/* Who may write a cell of an existing row. */
enum status judge_rule(struct merge *m, const struct centre_row *row, const struct merge_edit *me,
                       struct outcome_edit *out, struct err *err) NODISCARD;
bool judge_is_key(const struct entity *e, const struct cell *cell);
bool judge_is_draft(const struct centre_row *row);
enum status judge_is_author(struct merge *m, const struct centre_row *row, bool *out,
                            struct err *err) NODISCARD;

/* ------------------------------------------------------------------ edit.c */

enum status merge_create(struct merge *m, const struct entity *e, struct outcome_change *out,
                         struct err *err) NODISCARD;
enum status merge_edits(struct merge *m, const struct entity *e, struct outcome_change *out,
                        struct err *err) NODISCARD;

/* ------------------------------------------------------------------ revive.c */

enum status merge_delete(struct merge *m, const struct entity *e, struct outcome_change *out,
                         struct err *err) NODISCARD;
/* Brings a row back if it is dead, with its whole unit and the owners of each. */
enum status merge_revive(struct merge *m, const struct entity *e, int64_t id,
                         struct err *err) NODISCARD;
/* The owner of a row with these values. */
enum status merge_revive_owner(struct merge *m, const struct entity *e, const struct value *values,
                               struct err *err) NODISCARD;
/* The rows that these values of a cell refer to. */
enum status merge_revive_targets(struct merge *m, const struct entity *e, const struct cell *cell,
                                 const struct value *values, struct err *err) NODISCARD;
/* The living rows of a unit: the row and what it owns, itself first. */
enum status merge_tree(struct merge *m, const struct entity *e, int64_t id, struct centre_ref **out,
                       size_t *out_count, struct err *err) NODISCARD;

#endif
