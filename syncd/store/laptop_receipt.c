/* What a receipt does. Its batch leaves the outbox; for each cell it says what the server has now.
 * A cell whose last pending edit this was takes the newer of that and what a pull brought, and
 * keeps that seq as its own base until the row's seq has passed it. The row's seq moves only if
 * nothing of the row is unknown here.
 */
#include "protocol/model/home.h"
#include "syncd/store/laptop.h"

#include <assert.h>
#include <string.h>

struct taking {
    struct store *store;
    const struct batch *batch;
    const struct receipt *receipt;
    uint32_t index; /* of the change */
    const struct change *change;
    const struct receipt_line *line;
    const struct entity *e;
    struct local local; /* the row that the change names */
    struct arena *mem;
};

/* What the server has in a cell. values NULL: the receipt does not tell. */
struct told {
    const struct value *values;
    size_t count;
    int64_t seq;
};

/* What was sent, as the server has it: references point to rows that are final there. */
static enum status as_sent(const struct taking *t, const struct cell *cell, const struct edit *edit,
                           struct value **out, struct err *err) {
    struct value *values = ARENA_ARRAY(t->mem, cell->count, struct value);
    if (!values) return err_no_memory(err);
    for (size_t i = 0; i < cell->count; i++) {
        values[i] = edit->values[i];
        bool refers =
            t->e->fields[cell->first + i].type == FIELD_REF && values[i].kind == VALUE_INT;
        if (refers) TRY(alias_resolve(t->store->db, values[i].number, &values[i].number, err));
    }
    *out = values;
    return ST_OK;
}

/* The receipt is silent about a value where the server has what was sent. For operations that is
 * the operation put on what the server was known to have. */
static enum status what_is_told(const struct taking *t, const struct cell *cell, size_t i,
                                const struct pending *p, struct told *out, struct err *err) {
    const struct receipt_edit *r = &t->line->edits[i];
    const struct edit *edit = &t->change->edits[i];
    struct value *values;
    *out = (struct told){.seq = r->seq};
    if (t->line->state != ROW_HERE) return ST_OK;
    if (r->has_values) {
        out->values = r->value_count == cell->count ? r->values : NULL;
        out->count = r->value_count;
    } else if (edit->kind == EDIT_SET) {
        if (edit->value_count != cell->count) return ST_OK;
        TRY(as_sent(t, cell, edit, &values, err));
        out->values = values;
        out->count = cell->count;
    } else if (p->found && p->values && p->value_count == cell->count) {
        TRY(edit_apply(cell, edit, p->values, t->mem, &values, err));
        out->values = values;
        out->count = cell->count;
    }
    return ST_OK;
}

static enum status show(struct taking *t, struct local *local, const struct cell *cell,
                        const struct value *values, int64_t seq, struct err *err) {
    struct value *all = local_copy(local, t->mem);
    if (!all) return err_no_memory(err);
    memcpy(&all[cell->first], values, cell->count * sizeof *values);
    TRY(past_note(t->store, local, cell_bit(cell), all, seq, err));
    TRY(local_write(t->store, local, cell_bit(cell), all, err));
    return seq > local->meta.seq ? ahead_put(t->store->db, local->id, cell->tag, seq, err) : ST_OK;
}

/* The cell's last pending edit is gone. */
static enum status settle(struct taking *t, const struct cell *cell, const struct pending *p,
                          struct err *err) {
    if (p->found) TRY(pending_drop(t->store->db, t->change->row, cell->tag, err));
    if (!t->local.found || !p->values || p->value_count != cell->count) return ST_OK;
    return show(t, &t->local, cell, p->values, p->seq, err);
}

/* Through an alias: news about the survivor. If it is not here, its record brings all of it. */
static enum status tell_survivor(struct taking *t, const struct cell *cell, const struct told *told,
                                 struct err *err) {
    struct local other;
    struct pending p;
    int64_t ahead;
    if (!told->values) return ST_OK;
    TRY(local_read(t->store, t->e, t->line->row, t->mem, &other, err));
    if (!other.found || other.meta.gone == GONE_DOOMED) return ST_OK;
    TRY(pending_get(t->store->db, other.id, cell->tag, t->mem, &p, err));
    if (p.found)
        return pending_note(t->store->db, t->e->tag, other.id, cell->tag, &p, told->values,
                            told->count, told->seq, err);
    TRY(ahead_get(t->store->db, other.id, cell->tag, &ahead, err));
    if (told->seq <= other.meta.seq || told->seq <= ahead) return ST_OK;
    return show(t, &other, cell, told->values, told->seq, err);
}

static enum status note_told(struct taking *t, const struct cell *cell, struct pending *p,
                             const struct told *told, struct err *err) {
    if (!told->values) return ST_OK;
    return pending_note(t->store->db, t->e->tag, t->change->row, cell->tag, p, told->values,
                        told->count, told->seq, err);
}

static enum status take_edit(struct taking *t, size_t i, struct err *err) {
    const struct cell *cell = entity_cell(t->e, t->change->edits[i].cell_tag);
    struct pending p;
    struct told told;
    if (!cell) return ST_OK;
    TRY(pending_get(t->store->db, t->change->row, cell->tag, t->mem, &p, err));
    TRY(what_is_told(t, cell, i, &p, &told, err));
    if (p.found && p.own > t->batch->number) return note_told(t, cell, &p, &told, err);
    if (t->line->row != t->change->row) {
        TRY(pending_drop(t->store->db, t->change->row, cell->tag, err));
        return tell_survivor(t, cell, &told, err);
    }
    if (p.found) {
        TRY(note_told(t, cell, &p, &told, err));
        return settle(t, cell, &p, err);
    }
    bool news = t->line->edits[i].has_values && told.values && t->local.found;
    return news ? show(t, &t->local, cell, told.values, told.seq, err) : ST_OK; /* of a creation */
}

/* ------------------------------------------------------------------ the row */

/* Compare and set: nothing of the row is unknown when the seq before the change is the one that is
 * here. */
static enum status move_seq(struct taking *t, struct err *err) {
    struct row_meta *meta = &t->local.meta;
    if (!t->local.found) return ST_OK;
    bool created_here = meta->seq == -(int64_t)t->batch->number;
    int64_t seq = meta->seq > 0 ? meta->seq : 0;
    bool same = t->change->row == t->line->row && t->line->seq > 0 && t->line->prev == seq &&
                meta->gone != GONE_DOOMED && (meta->seq >= 0 || created_here) &&
                !seq_is_lost(t->store, seq);
    if (!same && !created_here) return ST_OK;
    meta->seq = same ? t->line->seq : 0;
    TRY(rows_update(t->store->db, t->e, ROWS_LAPTOP, t->local.id, 0, t->local.values, meta, false,
                    NULL, err));
    return ahead_trim(t->store->db, t->local.id, meta->seq, err);
}

static enum row_state state_in_unit(const struct receipt_line *line, int64_t row) {
    for (size_t i = 0; i < line->unit_count; i++)
        if (line->unit[i].row == row) return line->unit[i].state;
    return ROW_DEAD;
}

/* What is so now decides, not what was so when the delete was merged. */
static enum status take_delete(struct taking *t, struct apply_counts *counts, struct err *err) {
    for (size_t i = 0; i < t->change->unit_count; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        const struct unit_row *u = &t->change->unit[i];
        const struct entity *e = catalogue_entity_by_tag(t->store->cat, u->entity_tag);
        struct local local;
        bool gone;
        if (!e) continue;
        TRY(local_read(t->store, e, u->row, &mem, &local, err));
        if (!local.found || local.meta.gone != GONE_HIDDEN) continue;
        bool here = state_in_unit(t->line, u->row) == ROW_HERE || local.meta.seq < 0;
        counts->rows_changed += here;
        counts->rows_gone += !here && state_in_unit(t->line, u->row) != ROW_OUT;
        TRY(local_set_gone(t->store, &local, GONE_HERE, &mem, err));
        if (here) continue;
        if (state_in_unit(t->line, u->row) == ROW_OUT)
            TRY(forget_row(t->store, &local, counts, err));
        else
            TRY(local_doom(t->store, &local, &mem, &gone, err));
    }
    return ST_OK;
}

/* An edit that moved the row changes the sums of the homes that it left too. */
static enum status touch_homes(struct taking *t, struct err *err) {
    bool moves = false;
    for (size_t i = 0; i < t->change->edit_count; i++) {
        const struct cell *cell = entity_cell(t->e, t->change->edits[i].cell_tag);
        moves |= cell && homes_depend_on(t->e, cell);
    }
    if (moves && t->change->kind == CHANGE_EDIT) return digest_forget(t->store, err);
    if (!t->local.found) return ST_OK;
    return digest_touch(t->store, t->e, t->local.id, t->local.values, err);
}

static enum status take_row(struct taking *t, struct apply_counts *counts, struct err *err) {
    bool gone = false;
    TRY(touch_homes(t, err));
    TRY(move_seq(t, err));
    for (size_t i = 0; i < t->change->edit_count; i++) TRY(take_edit(t, i, err));
    if (!t->local.found) return ST_OK;
    bool out = t->line->state == ROW_OUT && t->local.meta.seq >= 0 &&
               t->local.meta.gone != GONE_DOOMED;
    if (out) TRY(forget_row(t->store, &t->local, counts, err));
    if (!out && t->line->state != ROW_HERE && t->local.meta.seq >= 0)
        TRY(local_doom(t->store, &t->local, t->mem, &gone, err));
    if (t->local.found && !gone) TRY(local_sweep(t->store, &t->local, &gone, err));
    counts->rows_gone += gone;
    return ST_OK;
}

/* ------------------------------------------------------------------ what the server did not take
 */

static bool is_held(enum outcome outcome) {
    return outcome == OUTCOME_WAITING || outcome == OUTCOME_REFUSED;
}

static enum status write_held(struct taking *t, const struct change *content, uint32_t cell,
                              enum outcome outcome, enum reason reason, struct err *err) {
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct db_stmt *s;
    change_write(content, &bytes);
    TRY(buf_status(&bytes, err));
    TRY(db_prepare(t->store->db,
                   "INSERT OR REPLACE INTO held(batch, change, cell, entity, row_id, outcome, "
                   "reason, state, retried,"
                   " content, shown) VALUES (?,?,?,?,?,?,?,?,0,?,"
                   "(SELECT vals FROM before_edit WHERE batch = ? AND row_id = ? AND cell = ?))",
                   &s, err));
    const int64_t numbers[] = {t->batch->number,    t->index,     cell,
                               content->entity_tag, content->row, (int64_t)outcome,
                               (int64_t)reason,     HELD_OPEN};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(s, (int)i + 1, numbers[i]);
    db_bind_blob(s, 9, buf_slice(&bytes));
    db_bind_int(s, 10, t->batch->number);
    db_bind_int(s, 11, content->row);
    db_bind_int(s, 12, cell);
    return db_run(s, err);
}

/* Single edits, unless the change did not come in as a whole. */
static enum status hold(struct taking *t, struct err *err) {
    const struct receipt_line *line = t->line;
    size_t single = 0;
    bool whole = t->change->kind != CHANGE_EDIT && line->seq == 0 && is_held(line->outcome);
    for (size_t i = 0; !whole && i < line->edit_count; i++) {
        struct change one = *t->change;
        const struct receipt_edit *r = &line->edits[i];
        if (!is_held(r->outcome)) continue;
        one.edits = &t->change->edits[i];
        one.edit_count = 1;
        single++;
        TRY(write_held(t, &one, r->cell_tag, r->outcome, r->reason, err));
    }
    if (single > 0 || !is_held(line->outcome)) return ST_OK;
    return write_held(t, t->change, 0, line->outcome, line->reason, err);
}

/* ------------------------------------------------------------------ what is kept for people */

/* One row for a batch, short: entity, kind with outcome, reason, id as a delta, then the edits that
 * fared otherwise than their change. */
static bool is_worth_a_note(const struct change *change, const struct receipt_line *line,
                            size_t edit) {
    return change->kind == CHANGE_EDIT || line->edits[edit].outcome != line->outcome;
}

static void write_note(struct buf *out, const struct change *change,
                       const struct receipt_line *line, int64_t *last) {
    size_t others = 0;
    buf_put_varint(out, change->entity_tag);
    buf_put_varint(out, (uint64_t)change->kind * OUTCOME_COUNT + (uint64_t)line->outcome);
    buf_put_varint(out, (uint64_t)line->reason);
    buf_put_signed(out, change->row - *last);
    *last = change->row;
    for (size_t i = 0; i < line->edit_count; i++) others += is_worth_a_note(change, line, i);
    buf_put_varint(out, others);
    for (size_t i = 0; i < line->edit_count; i++) {
        if (!is_worth_a_note(change, line, i)) continue;
        buf_put_varint(out, line->edits[i].cell_tag);
        buf_put_varint(out, (uint64_t)line->edits[i].outcome);
        buf_put_varint(out, (uint64_t)line->edits[i].reason);
    }
}

static enum status keep_notes(struct store *store, const struct batch *batch,
                              const struct receipt *receipt, struct err *err) {
    struct buf notes SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct db_stmt *s;
    int64_t last = 0;
    for (size_t i = 0; i < batch->change_count; i++)
        write_note(&notes, &batch->changes[i], &receipt->lines[i], &last);
    TRY(buf_status(&notes, err));
    TRY(db_prepare(store->db,
                   "INSERT OR REPLACE INTO receipt(batch, at, time_ms, content) VALUES (?,?,?,?)",
                   &s, err));
    db_bind_int(s, 1, batch->number);
    db_bind_int(s, 2, receipt->at);
    db_bind_int(s, 3, receipt->time_ms);
    db_bind_blob(s, 4, buf_slice(&notes));
    TRY(db_run(s, err));
    TRY(db_prepare(store->db, "DELETE FROM receipt WHERE batch <= ?", &s, err));
    db_bind_int(s, 1, (int64_t)batch->number - STORE_RECEIPTS_KEPT);
    return db_run(s, err);
}

static void count_outcome(struct apply_counts *counts, enum outcome outcome) {
    switch (outcome) {
    case OUTCOME_APPLIED: counts->applied++; break;
    case OUTCOME_MERGED: counts->merged++; break;
    case OUTCOME_LOST: counts->lost++; break;
    case OUTCOME_WAITING: counts->waiting++; break;
    case OUTCOME_REFUSED: counts->refused++; break;
    case OUTCOME_COUNT: break;
    }
}

/* ------------------------------------------------------------------ the batch */

static enum status take_line(struct store *store, const struct batch *batch,
                             const struct receipt *receipt, size_t index,
                             struct apply_counts *counts, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct taking t = {.store = store,
                       .batch = batch,
                       .receipt = receipt,
                       .index = (uint32_t)index,
                       .change = &batch->changes[index],
                       .line = &receipt->lines[index],
                       .mem = &mem};
    count_outcome(counts, t.line->outcome);
    t.e = catalogue_entity_by_tag(store->cat, t.change->entity_tag);
    if (!t.e) return ST_OK;
    TRY(hold(&t, err));
    TRY(local_read(store, t.e, t.change->row, &mem, &t.local, err));
    if (t.change->kind != CHANGE_DELETE) return take_row(&t, counts, err);
    TRY(move_seq(&t, err));
    return take_delete(&t, counts, err);
}

static enum status check_shape(const struct batch *batch, const struct receipt *receipt,
                               struct err *err) {
    bool fits = receipt->line_count == batch->change_count;
    for (size_t i = 0; fits && i < batch->change_count; i++)
        fits = receipt->lines[i].edit_count == batch->changes[i].edit_count;
    if (fits) return ST_OK;
    return err_set(err, ST_MALFORMED, "the receipt of batch %u does not fit what was sent",
                   "批次%u的回执与所发内容不符", batch->number);
}

/* The stub of the newest batch stays, so that neither its number nor the ids below its counter come
 * again. */
static enum status leave_outbox(struct store *store, uint32_t batch, struct err *err) {
    static const char *const sql[] = {
        "UPDATE outbox SET done = 1, changes = 0, content = NULL WHERE n = ?",
        "DELETE FROM outbox WHERE done = 1 AND n < ?"};
    for (size_t i = 0; i < ARRAY_COUNT(sql); i++) {
        struct db_stmt *s;
        TRY(db_prepare(store->db, sql[i], &s, err));
        db_bind_int(s, 1, batch);
        TRY(db_run(s, err));
    }
    return before_drop(store->db, batch, 0, 0, err);
}

static enum status chain_of_batch(struct store *store, uint32_t batch, struct chain *out,
                                  struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(store->db, "SELECT chain FROM outbox WHERE n = ? AND sent = 1", &s, err));
    db_bind_int(s, 1, batch);
    TRY(db_step(s, &row, err));
    struct slice chain = row ? db_blob(s, 0) : (struct slice){0};
    bool sound = chain.len == CHAIN_BYTES;
    if (sound) memcpy(out->bytes, chain.data, CHAIN_BYTES);
    db_reset(s);
    if (sound) return ST_OK;
    return err_set(err, ST_MALFORMED, "a receipt came for batch %u, which was not sent",
                   "收到未发送批次%u的回执", batch);
}

/* Told before; or given back, and answered anew. What is held now is shown, the rest comes with the
 * rows. */
static enum status take_given(struct store *store, const struct receipt *receipt,
                              struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct batch batch;
    bool found;
    TRY(kept_get(store, receipt->batch, &mem, &batch, &found, err));
    if (!found) return ST_OK;
    TRY(check_shape(&batch, receipt, err));
    for (size_t i = 0; i < batch.change_count; i++) {
        struct taking t = {.store = store,
                           .batch = &batch,
                           .receipt = receipt,
                           .index = (uint32_t)i,
                           .change = &batch.changes[i],
                           .line = &receipt->lines[i],
                           .mem = &mem};
        t.e = catalogue_entity_by_tag(store->cat, t.change->entity_tag);
        if (t.e) TRY(hold(&t, err));
    }
    TRY(keep_notes(store, &batch, receipt, err));
    return kept_given(store, receipt, err);
}

enum status receipt_take(struct store *store, const struct receipt *receipt, int64_t proof,
                         struct apply_counts *counts, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct laptop_state state = store->laptop->state;
    struct outbox_row row;
    bool found;
    if (receipt->batch <= state.last_batch) return take_given(store, receipt, err);
    if (receipt->batch != state.last_batch + 1)
        return err_set(err, ST_MALFORMED, "a receipt for batch %u came before that of %u",
                       "批次%u的回执先于批次%u到达", receipt->batch, state.last_batch + 1);
    struct chain before = state.last_chain;
    TRY(chain_of_batch(store, receipt->batch, &state.last_chain, err));
    TRY(outbox_get(store->db, receipt->batch, &mem, &row, &found, err));
    assert(found); /* sent, and above the last receipt */
    TRY(check_shape(&row.batch, receipt, err));
    for (size_t i = 0; i < row.batch.change_count; i++)
        TRY(take_line(store, &row.batch, receipt, i, counts, err));
    TRY(keep_notes(store, &row.batch, receipt, err));
    TRY(past_keep(store, &row.batch, receipt, err));
    TRY(kept_put(store, receipt, &before, proof, err));
    TRY(leave_outbox(store, receipt->batch, err));
    state.last_batch = receipt->batch;
    return state_write(store, &state, err);
}
