/* A delete takes a row and what it owns as one unit, if its author had seen all of it; an edit that
 * comes later brings the whole unit back, and its owners.
 *
 * A dead row names the seq of the delete that took it. The unit is found in the log: its rows stand
 * behind the delete, with the same device, batch and change.
 */
#include "syncd/server/merge.h"
#include "syncd/store/centre_unite.h"

#include <stdlib.h>
#include <string.h>

enum { ROW_SCRATCH = 64 * 1024 * 1024 };

/* ------------------------------------------------------------------ the unit as the server has it
 */

enum status merge_tree(struct merge *m, const struct entity *e, int64_t id, struct centre_ref **out,
                       size_t *out_count, struct err *err) {
    size_t count = 1, room = 16;
    struct centre_ref *tree = ARENA_ARRAY(m->mem, room, struct centre_ref);
    if (!tree) return err_no_memory(err);
    tree[0] = (struct centre_ref){e, id};
    for (size_t i = 0; i < count; i++) {
        struct centre_ref *owned;
        size_t more;
        TRY(centre_row_owned(m->c, tree[i].entity, tree[i].row, m->mem, &owned, &more, err));
        if (count + more > UNIT_ROWS_MAX)
            return err_set(err, ST_TOO_LARGE, "a delete takes at most %d rows",
                           "一次最多删除 %d 条记录", UNIT_ROWS_MAX);
        if (count + more > room) {
            room = (count + more) * 2;
            struct centre_ref *larger = ARENA_ARRAY(m->mem, room, struct centre_ref);
            if (!larger) return err_no_memory(err);
            memcpy(larger, tree, count * sizeof *tree);
            tree = larger;
        }
        if (more > 0) memcpy(tree + count, owned, more * sizeof *tree);
        count += more;
    }
    *out = tree;
    *out_count = count;
    return ST_OK;
}

static int by_row(const void *a, const void *b) {
    const struct unit_row *const *x = a, *const *y = b;
    return ((*x)->row > (*y)->row) - ((*x)->row < (*y)->row);
}

static int by_id(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* What the author had in sight, and what is there, both to be looked up. */
struct unit {
    const struct unit_row **seen; /* by row id */
    size_t seen_count;
    struct centre_ref *tree;
    int64_t *ids; /* of the tree, ascending */
    size_t count;
};

static enum status unit_of(struct merge *m, const struct entity *e, int64_t root, struct unit *u,
                           struct err *err) {
    TRY(merge_tree(m, e, root, &u->tree, &u->count, err));
    u->seen_count = m->change->unit_count;
    u->seen = ARENA_ARRAY(m->mem, u->seen_count + 1, const struct unit_row *);
    u->ids = ARENA_ARRAY(m->mem, u->count, int64_t);
    if (!u->seen || !u->ids) return err_no_memory(err);
    for (size_t i = 0; i < u->seen_count; i++) u->seen[i] = &m->change->unit[i];
    for (size_t i = 0; i < u->count; i++) u->ids[i] = u->tree[i].row;
    qsort(u->seen, u->seen_count, sizeof *u->seen, by_row);
    qsort(u->ids, u->count, sizeof *u->ids, by_id);
    return ST_OK;
}

static const struct unit_row *seen_row(const struct unit *u, int64_t id) {
    struct unit_row key = {.row = id};
    const struct unit_row *at = &key;
    const struct unit_row **found = bsearch(&at, u->seen, u->seen_count, sizeof *u->seen, by_row);
    return found ? *found : NULL;
}

/* ------------------------------------------------------------------ had the author seen all of it?
 */

struct unseen { /* the first thing that a delete had not seen */
    bool found;
    const struct entity *entity;
    int64_t row;
    uint32_t cell_tag;
    enum rule rule;
    int64_t base_seq;
    struct clock clock;
};

static enum status look_at_cell(struct merge *m, const struct centre_row *row,
                                const struct unit_row *seen, uint32_t tag, enum rule rule,
                                struct unseen *out, struct err *err) {
    struct base base = seen->base;
    const struct clock *clock = row_clock_of(&row->clock, tag);
    for (size_t i = 0; i < seen->cell_count; i++)
        if (seen->cells[i].cell_tag == tag) base = seen->cells[i].base;
    TRY(merge_stands_on(m, row->id, tag, &base, err));
    bool seen_it;
    TRY(former_covers(m, clock, tag, base, row->id, &seen_it, err));
    if (seen_it) return ST_OK;
    *out = (struct unseen){true, row->entity, row->id, tag, rule, base.seq, *clock};
    return ST_OK;
}

/* Who made the row, brought it back or here: whoever wrote there last. */
static struct clock last_of(const struct row_clock *row) {
    struct clock last = row->row;
    for (size_t i = 0; i < row->count; i++)
        if (row->cells[i].clock.seq > last.seq) last = row->cells[i].clock;
    return last;
}

static enum status look_at_row(struct merge *m, const struct unit *u, const struct centre_row *row,
                               struct unseen *out, struct err *err) {
    const struct entity *e = row->entity;
    const struct unit_row *seen = seen_row(u, row->id);
    if (!seen) {
        *out = (struct unseen){true, e, row->id, 0, RULE_LAST, 0, last_of(&row->clock)};
        return ST_OK;
    }
    for (size_t i = 0; i < e->cell_count && !out->found; i++)
        if (e->cells[i].rule != RULE_DERIVED)
            TRY(look_at_cell(m, row, seen, e->cells[i].tag, e->cells[i].rule, out, err));
    for (size_t i = 0; i < row->clock.count && !out->found; i++)
        if (!entity_cell(e, row->clock.cells[i].tag))
            TRY(look_at_cell(m, row, seen, row->clock.cells[i].tag, RULE_LAST, out, err));
    return ST_OK;
}

/* Who sets a reference to a row wants it to live. */
static enum status look_at_referrers(struct merge *m, const struct unit *u,
                                     const struct centre_ref *ref, struct arena *scratch,
                                     struct unseen *out, struct err *err) {
    struct centre_referrer *list;
    size_t count;
    struct base base = {m->batch->cursor, 0};
    int64_t since = base.seq;
    if (m->former) (void)base_is_lost(m->former->lost, m->former->lost_count, base.seq, &since);
    TRY(centre_row_referrers(m->c, ref->entity, ref->row, since, scratch, &list, &count, err));
    for (size_t i = 0; i < count && !out->found; i++) {
        struct row_clock clocks;
        if (bsearch(&list[i].row, u->ids, u->count, sizeof *u->ids, by_id)) continue;
        const struct cell *cell = entity_cell_of(list[i].entity, list[i].field);
        TRY(row_clock_read(list[i].clock, scratch, &clocks, err));
        struct clock clock = *row_clock_of(&clocks, cell->tag);
        bool own =
            clock.device == m->author.number && clock.batch > 0 && clock.batch <= m->batch->number;
        bool seen_it = own;
        if (!own) TRY(former_covers(m, &clock, cell->tag, base, list[i].row, &seen_it, err));
        if (seen_it) continue;
        *out = (struct unseen){true,       list[i].entity,   list[i].row, cell->tag,
                               cell->rule, m->batch->cursor, clock};
    }
    return ST_OK;
}

/* Of a row that became this one, since, its author has deleted nothing. */
static enum status look_at_unions(struct merge *m, const struct centre_ref *ref,
                                  struct arena *scratch, struct unseen *out, struct err *err) {
    struct base base = {m->batch->cursor, 0};
    int64_t *ids;
    size_t count;
    TRY(centre_aliases_of(m->c, ref->row, scratch, &ids, &count, err));
    for (size_t i = 0; i < count && !out->found; i++) {
        struct centre_united united;
        bool seen_it;
        enum status status = centre_united(m->c, ids[i], scratch, &united, err);
        if (status == ST_NOT_FOUND) continue; /* made twice under one key */
        TRY(status);
        struct clock clock = {.seq = united.seq, .time_ms = united.time_ms};
        TRY(former_covers(m, &clock, 0, base, ref->row, &seen_it, err));
        if (!seen_it)
            *out =
                (struct unseen){true, ref->entity, ref->row, 0, RULE_LAST, m->batch->cursor, clock};
    }
    return ST_OK;
}

static enum status find_unseen(struct merge *m, const struct unit *u, struct unseen *out,
                               struct err *err) {
    struct arena scratch = arena_new(ROW_SCRATCH);
    enum status status = ST_OK;
    for (size_t i = 0; i < u->count && status == ST_OK && !out->found; i++) {
        struct centre_row row;
        bool found;
        arena_clear(&scratch);
        status =
            centre_row_read(m->c, u->tree[i].entity, u->tree[i].row, &scratch, &row, &found, err);
        if (status == ST_OK && found) status = look_at_row(m, u, &row, out, err);
        if (status == ST_OK && !out->found)
            status = look_at_referrers(m, u, &u->tree[i], &scratch, out, err);
        if (status == ST_OK && !out->found)
            status = look_at_unions(m, &u->tree[i], &scratch, out, err);
    }
    arena_clear(&scratch);
    return status;
}

/* ------------------------------------------------------------------ delete */

/* A delete that is given back and loses now: replicas have dropped the rows. */
static enum status show_unit(struct merge *m, const struct entity *e, int64_t root,
                             struct err *err) {
    struct centre_ref *tree;
    size_t count;
    TRY(merge_tree(m, e, root, &tree, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct centre_row row;
        bool found;
        TRY(centre_row_read(m->c, tree[i].entity, tree[i].row, m->mem, &row, &found, err));
        if (!found || row.dead) continue;
        TRY(former_touch(m, &row, err));
        TRY(merge_log(m, LOG_REVIVED, tree[i].entity, row.id, OUTCOME_APPLIED, err));
    }
    return ST_OK;
}

static enum status lose_delete(struct merge *m, const struct entity *e, int64_t root,
                               const struct unseen *to, struct outcome_change *out,
                               struct err *err) {
    struct ledger_entry entry = {.seq = centre_next_seq(m->c),
                                 .entity_tag = to->found ? to->entity->tag : e->tag,
                                 .row = to->found ? to->row : root,
                                 .cell_tag = 0,
                                 .rule = to->rule,
                                 .base_seq = to->base_seq,
                                 .loser_device = m->author.number,
                                 .loser_batch = m->batch->number,
                                 .loser_time_ms = m->when_ms,
                                 .winner_device = to->clock.device,
                                 .winner_time_ms = to->clock.time_ms};
    out->outcome = OUTCOME_LOST;
    TRY(centre_ledger_add(m->c, &entry, err));
    TRY(merge_release(m, err));
    TRY(merge_log(m, LOG_DELETE, e, root, OUTCOME_LOST, err));
    return former_line(m) ? show_unit(m, e, root, err) : ST_OK;
}

static enum status take_row(struct merge *m, const struct centre_ref *ref, int64_t unit,
                            struct arena *scratch, struct err *err) {
    struct centre_row row;
    bool found;
    TRY(centre_row_read(m->c, ref->entity, ref->row, scratch, &row, &found, err));
    if (!found) return err_set(err, ST_DAMAGED, "an owned row is not there", "所属记录缺失");
    row.dead = unit;
    row.seq = centre_next_seq(m->c);
    TRY(centre_row_update(m->c, &row, 0, err));
    TRY(scope_turned(m, &row, err));
    return merge_log(m, row.seq == unit ? LOG_DELETE : LOG_TAKEN, ref->entity, ref->row,
                     OUTCOME_APPLIED, err);
}

static enum status take_unit(struct merge *m, const struct unit *u, struct err *err) {
    struct arena scratch = arena_new(ROW_SCRATCH);
    int64_t unit = centre_next_seq(m->c);
    enum status status = merge_release(m, err);
    for (size_t i = 0; i < u->count && status == ST_OK; i++) {
        arena_clear(&scratch);
        status = take_row(m, &u->tree[i], unit, &scratch, err);
    }
    arena_clear(&scratch);
    return status;
}

static enum status delete_again(struct merge *m, const struct centre_row *root, struct err *err) {
    TRY(centre_delete_also(m->c, root->dead, centre_next_seq(m->c), err));
    TRY(merge_release(m, err));
    return merge_log(m, LOG_DELETE, root->entity, root->id, OUTCOME_APPLIED, err);
}

/* The author's own draft goes whatever others did to it. */
static enum status delete_living(struct merge *m, const struct centre_row *root,
                                 struct outcome_change *out, struct err *err) {
    struct unit u = {0};
    struct unseen unseen = {0};
    bool own_draft = judge_is_draft(root);
    if (own_draft) TRY(judge_is_author(m, root, &own_draft, err));
    TRY(unit_of(m, root->entity, root->id, &u, err));
    if (!own_draft) TRY(find_unseen(m, &u, &unseen, err));
    if (unseen.found) return lose_delete(m, root->entity, root->id, &unseen, out, err);
    return take_unit(m, &u, err);
}

enum status merge_delete(struct merge *m, const struct entity *e, struct outcome_change *out,
                         struct err *err) {
    struct centre_row root;
    struct outcome_edit verdict = {OUTCOME_REFUSED, REASON_UNKNOWN_ROW};
    bool found, permitted = true;
    TRY(centre_alias_resolve(m->c, m->change->row, &out->row, err));
    TRY(centre_row_read(m->c, e, out->row, m->mem, &root, &found, err));
    if (found) TRY(scope_permits(m, &root, &permitted, err));
    if (found) TRY(judge_delete(m, &root, &verdict, err));
    if (!permitted) verdict.reason = REASON_DENIED;
    if (!permitted) verdict.outcome = OUTCOME_REFUSED;
    if (!found || !is_taken(verdict.outcome))
        return merge_refuse(m, e, out->row, verdict, out, err);
    TRY(merge_time(m, m->change->unit_count > 0 ? m->change->unit[0].base.seq : 0, &m->when_ms,
                   err));
    if (root.id != m->change->row) { /* nobody meant to delete the survivor */
        struct unseen survivor = {.rule = RULE_LAST};
        return lose_delete(m, e, root.id, &survivor, out, err);
    }
    return root.dead ? delete_again(m, &root, err) : delete_living(m, &root, out, err);
}

/* ------------------------------------------------------------------ coming back */

struct unit_walk {
    struct merge *m;
    struct log_entry first;
    struct centre_ref *rows;
    size_t count, room;
};

static enum status walk_unit(void *ctx, const struct log_entry *entry, bool *out_stop,
                             struct err *err) {
    struct unit_walk *w = ctx;
    bool same = entry->device == w->first.device && entry->batch == w->first.batch &&
                entry->change == w->first.change &&
                (entry->kind == LOG_TAKEN || entry->seq == w->first.seq);
    *out_stop = !same;
    if (!same) return ST_OK;
    if (w->count == w->room) {
        size_t room = w->room ? w->room * 2 : 16;
        struct centre_ref *rows = ARENA_ARRAY(w->m->mem, room, struct centre_ref);
        if (!rows) return err_no_memory(err);
        if (w->count > 0) memcpy(rows, w->rows, w->count * sizeof *rows);
        w->rows = rows;
        w->room = room;
    }
    w->rows[w->count++] =
        (struct centre_ref){catalogue_entity_by_tag(w->m->cat, entry->entity_tag), entry->row};
    return ST_OK;
}

static enum status note_delete_lost(struct merge *m, int64_t seq, struct err *err) {
    struct log_entry deleted;
    TRY(centre_log_entry(m->c, seq, &deleted, err));
    struct ledger_entry entry = {.seq = centre_next_seq(m->c),
                                 .entity_tag = deleted.entity_tag,
                                 .row = deleted.row,
                                 .rule = RULE_LAST,
                                 .loser_device = deleted.device,
                                 .loser_batch = deleted.batch,
                                 .loser_time_ms = deleted.time_ms,
                                 .winner_device = m->author.number,
                                 .winner_time_ms = m->when_ms,
                                 .winner_is_new = true};
    return centre_ledger_add(m->c, &entry, err);
}

static enum status note_deletes_lost(struct merge *m, int64_t unit, struct err *err) {
    int64_t *also;
    size_t count;
    TRY(note_delete_lost(m, unit, err));
    TRY(centre_deletes_of(m->c, unit, m->mem, &also, &count, err));
    for (size_t i = 0; i < count; i++) TRY(note_delete_lost(m, also[i], err));
    return ST_OK;
}

/* Sent whole: laptops may have dropped it. */
static enum status revive_row(struct merge *m, const struct centre_ref *ref, int64_t unit,
                              struct arena *scratch, struct err *err) {
    struct centre_row row;
    bool found;
    if (!ref->entity) return ST_OK;
    TRY(centre_row_read(m->c, ref->entity, ref->row, scratch, &row, &found, err));
    if (!found || row.dead != unit) return ST_OK;
    row.dead = 0;
    row.seq = row.whole = centre_next_seq(m->c);
    TRY(centre_row_update(m->c, &row, 0, err));
    TRY(scope_turned(m, &row, err));
    TRY(merge_log(m, LOG_REVIVED, ref->entity, ref->row, OUTCOME_APPLIED, err));
    return merge_revive_owner(m, ref->entity, row.values, err);
}

static enum status revive_unit(struct merge *m, int64_t unit, struct err *err) {
    struct unit_walk w = {.m = m};
    struct arena scratch = arena_new(ROW_SCRATCH);
    TRY(centre_log_entry(m->c, unit, &w.first, err));
    TRY(note_deletes_lost(m, unit, err));
    enum status status = centre_log_walk(m->c, unit - 1, walk_unit, &w, err);
    for (size_t i = 0; i < w.count && status == ST_OK; i++) {
        arena_clear(&scratch);
        status = revive_row(m, &w.rows[i], unit, &scratch, err);
    }
    arena_clear(&scratch);
    return status;
}

enum status merge_revive(struct merge *m, const struct entity *e, int64_t id, struct err *err) {
    struct centre_row row;
    bool found;
    TRY(centre_row_read(m->c, e, id, m->mem, &row, &found, err));
    return found && row.dead ? revive_unit(m, row.dead, err) : ST_OK;
}

static enum status revive_target(struct merge *m, const struct field *f, struct value v,
                                 struct err *err) {
    bool found, dead;
    const struct entity *target;
    if (f->type != FIELD_REF || v.kind != VALUE_INT) return ST_OK;
    target = catalogue_entity(m->cat, slice_from(f->refers_to));
    if (!target) return ST_OK;
    TRY(centre_row_probe(m->c, target, v.number, &found, &dead, err));
    return found && dead ? merge_revive(m, target, v.number, err) : ST_OK;
}

enum status merge_revive_owner(struct merge *m, const struct entity *e, const struct value *values,
                               struct err *err) {
    if (e->owner_field < 0) return ST_OK;
    return revive_target(m, &e->fields[e->owner_field], values[e->owner_field], err);
}

enum status merge_revive_targets(struct merge *m, const struct entity *e, const struct cell *cell,
                                 const struct value *values, struct err *err) {
    for (size_t i = 0; i < cell->count; i++)
        if (e->fields[cell->first + i].type == FIELD_REF)
            TRY(revive_target(m, &e->fields[cell->first + i], values[i], err));
    return ST_OK;
}
