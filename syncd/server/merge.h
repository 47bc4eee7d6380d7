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
 *     restore.c  rows whose tombstones were collected, when head office wants them back
 *
 *     scope_merge.c  may the author see the row; in which homes is it now; whose grants follow
 *
 *     reply.c   receipts and pages
 *
 * No threads, no clocks of its own, no SQL: everything goes through centre.h.
 */
#ifndef ROADBOOK_MERGE_H
#define ROADBOOK_MERGE_H

#include "syncd/server/org.h"
#include "syncd/store/centre_scope.h"

struct merge_scope { /* what the batch does to homes and grants; all zero in an open org */
    bool on;
    int64_t lease_ms;
    struct centre_unsettled unsettled;
    size_t home_room, user_room;
    const struct log_homes *homes; /* of the next entry of the log; NULL: to be looked up */
};

/* What a merge has to know where the server once went back. */
struct former {
    const struct lost_branch *lost; /* of the author */
    size_t lost_count;
    int64_t start;                 /* of the present epoch */
    const struct receipt *receipt; /* of the batch, if it is given back; else NULL */
};

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
    bool revoked;    /* the laptop was: everything waits for head office */
    bool late;       /* of the change: its author's sight of the row had ended when it came */
    const struct former *former; /* NULL in the first epoch */
    struct merge_scope scope;    /* set by merge_batch */
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
/* Entries of quarantine that the change sends again: they came in with it, or wait in its place. */
enum status merge_release(struct merge *m, struct err *err) NODISCARD;
/* The base of an edit made on top of one that did not come in is the base of that one. */
enum status merge_stands_on(struct merge *m, int64_t named, uint32_t cell_tag, struct base *base,
                            struct err *err) NODISCARD;

/* Texts of a change that was not taken, merged with what was written since: values only. */
enum status edit_keep_words(struct merge *m, const struct centre_row *row, struct change *change,
                            struct err *err) NODISCARD;

/* ------------------------------------------------------------------ restore.c */

/* Head office says yes to what names a row whose tombstone was collected: the row is in the book
 * again, with all that its delete took, and its owners. *out false: there is nothing to restore, or
 * head office was not asked. ST_CONFLICT: its content is not kept any more, or its key is taken. */
enum status merge_restore(struct merge *m, int64_t row, bool *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ former.c */

/* What is given back: the receipt's line for the change at hand; NULL: it is a change of this life.
 */
const struct receipt_line *former_line(const struct merge *m);
int64_t former_seq(const struct merge *m); /* the change's seq then; 0 */
/* What was said then about an edit of the change decides what did not come in. */
void former_verdict(const struct merge *m, size_t edit, struct outcome_edit *verdict);
bool former_had_lost(const struct merge *m, uint32_t cell_tag);
/* Of a merge: room holds what in->life points to. Nothing in the first epoch. */
enum status former_fill(struct merge *m, struct merge_in *in, struct former_life *room,
                        struct err *err) NODISCARD;
/* Adds of a set that a later remove had seen are taken out of the edit. */
enum status former_trim(struct merge *m, const struct merge_in *in, struct edit *edit,
                        struct err *err) NODISCARD;
/* A later value has seen this one, or it had lost then: it goes to the ledger only. */
bool former_is_superseded(const struct merge *m, const struct merge_in *in);
/* After a merge that changed the cell: what later ones must know. *out_note: what was replaced may
 * have been beaten unseen in the life whose ledger is gone, so it goes to the ledger. */
enum status former_note(struct merge *m, const struct merge_in *in, const struct merge_out *out,
                        bool *out_note, struct err *err) NODISCARD;
/* Whether the author, with this base, had seen a cell's last change: clock_is_covered with what was
 * forgotten. */
enum status former_covers(struct merge *m, const struct clock *clock, uint32_t cell_tag,
                          struct base base, int64_t row, bool *out, struct err *err) NODISCARD;
/* The change is given back: its seq counts for all its cells and adds. */
enum status former_change(struct merge *m, struct err *err) NODISCARD;
/* The first change of a row in this epoch: where its other cells are of the life before, a part of
 * it would pass them off as seen. */
bool former_is_first(const struct merge *m, const struct centre_row *row);
/* Replicas may show what it was in the life before: the row goes to all of them whole. */
enum status former_touch(struct merge *m, struct centre_row *row, struct err *err) NODISCARD;

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

/* ------------------------------------------------------------------ scope_merge.c */

void scope_begin(struct merge *m);
/* Grants follow what the batch did. */
enum status scope_end(struct merge *m, struct err *err) NODISCARD;
/* The homes for an entry of the log; NULL: none are noted. */
enum status scope_log(struct merge *m, const struct entity *e, int64_t row, struct log_homes *room,
                      const struct log_homes **out, struct err *err) NODISCARD;
/* A row as it was before it was edited. */
struct scope_row {
    struct value *values; /* NULL: the org is open */
    struct homes homes;
    struct log_homes now; /* set by scope_place */
    bool moved;
};
enum status scope_watch(struct merge *m, const struct centre_row *row, struct scope_row *out,
                        struct err *err) NODISCARD;
/* After the edit, with its seq, before it is written: a row that came to other homes is whole. */
enum status scope_place(struct merge *m, struct centre_row *row, struct scope_row *before,
                        struct err *err) NODISCARD;
/* After it is logged: rows that inherit come along, each with a seq of its own. */
enum status scope_follow(struct merge *m, const struct centre_row *row,
                         const struct scope_row *before, struct err *err) NODISCARD;
/* The user whose device made one account, which is this one now, sees it from when grants are
 * settled. */
enum status scope_give_to_maker(struct merge *m, int64_t made, int64_t account,
                                struct err *err) NODISCARD;
/* A new row, before it is logged: what a device made is granted to its user, also where head
 * office took it. */
enum status scope_created(struct merge *m, const struct centre_row *row, struct log_homes *room,
                          struct err *err) NODISCARD;
/* A row died or came back. */
enum status scope_turned(struct merge *m, const struct centre_row *row, struct err *err) NODISCARD;
/* May the author edit or delete the row, by its homes now and those that it left since. */
enum status scope_permits(struct merge *m, const struct centre_row *row, bool *out,
                          struct err *err) NODISCARD;
/* May the author create a row with these values: its owner, and the account whose team sees it. */
enum status scope_permits_new(struct merge *m, const struct entity *e, const struct value *values,
                              bool *out, struct err *err) NODISCARD;

/* ------------------------------------------------------------------ others.c */

/* An edit that says what another's says, which waits for want of access: that one is taken over,
 * and closed as approved, with an entry of the log: when the edit is logged. */
enum status others_taken_over(struct merge *m, const struct centre_row *row,
                              const struct merge_edit *edits, struct err *err) NODISCARD;
/* A creation is refused for want of access: whoever sees the homes where it would be hears of it by
 * the next entry of the log. */
enum status others_refused_new(struct merge *m, const struct entity *e, const struct value *values,
                               struct log_homes *room, struct err *err) NODISCARD;

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
