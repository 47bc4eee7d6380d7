/* What this laptop knows of a row's past: own changes and what became of them, what came from the
 * server, what lost. A receipt alone says no values, and a pull not who wrote them: so the newest
 * of both are kept here, short, some ten thousand entries. The whole history is at the server.
 */
#include "syncd/store/laptop.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ keeping */

static enum status past_put(struct store *store, int64_t row, uint32_t batch, int64_t seq,
                            int64_t at_ms, struct slice content, struct err *err) {
    struct db_stmt *s;
    int64_t newest;
    TRY(db_prepare(store->db,
                   "INSERT INTO past(row_id, batch, seq, at_ms, content) VALUES (?,?,?,?,?)", &s,
                   err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, batch);
    db_bind_int(s, 3, seq);
    db_bind_int(s, 4, at_ms);
    db_bind_blob(s, 5, content);
    TRY(db_run(s, err));
    TRY(laptop_number(store, "SELECT max(n) FROM past", &newest, err));
    TRY(db_prepare(store->db, "DELETE FROM past WHERE n <= ?", &s, err));
    db_bind_int(s, 1, newest - PAST_KEPT);
    return db_run(s, err);
}

/* How many edits, the outcomes of the change and of each edit, then the change as it stands in a
 * batch. */
static enum status keep_change(struct store *store, uint32_t batch, const struct change *change,
                               const struct receipt *receipt, const struct receipt_line *line,
                               struct err *err) {
    struct buf content SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    buf_put_varint(&content, line->edit_count);
    buf_put_varint(&content, (uint64_t)line->outcome);
    for (size_t i = 0; i < line->edit_count; i++)
        buf_put_varint(&content, (uint64_t)line->edits[i].outcome);
    change_write(change, &bytes);
    TRY(buf_status(&bytes, err));
    if (bytes.len > PAST_BYTES) return ST_OK;
    buf_put_slice(&content, buf_slice(&bytes));
    TRY(buf_status(&content, err));
    return past_put(store, change->row, batch, line->seq > 0 ? line->seq : receipt->at,
                    receipt->time_ms, buf_slice(&content), err);
}

enum status past_keep(struct store *store, const struct batch *batch, const struct receipt *receipt,
                      struct err *err) {
    if (batch->change_count > PAST_BATCH_CHANGES) return ST_OK;
    for (size_t i = 0; i < batch->change_count; i++) {
        if (receipt->lines[i].state == ROW_OUT) continue; /* it left: nothing of it is kept */
        TRY(keep_change(store, batch->number, &batch->changes[i], receipt, &receipt->lines[i],
                        err));
    }
    return ST_OK;
}

static bool cell_differs(const struct cell *cell, const struct value *a, const struct value *b) {
    for (size_t i = 0; i < cell->count; i++)
        if (!value_equal(a[cell->first + i], b[cell->first + i])) return true;
    return false;
}

/* Per cell its tag and its values; a long text without them. */
enum status past_note(struct store *store, const struct local *before, uint64_t mask,
                      const struct value *after, int64_t seq, struct err *err) {
    struct buf content SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    for (size_t c = 0; c < before->e->cell_count; c++) {
        struct buf values SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
        const struct cell *cell = &before->e->cells[c];
        if (!(mask & cell_bit(cell)) || !cell_differs(cell, before->values, after)) continue;
        values_write(&after[cell->first], cell->count, &values);
        TRY(buf_status(&values, err));
        buf_put_varint(&content, cell->tag);
        buf_put_bytes(&content, values.len > PAST_BYTES ? (struct slice){0} : buf_slice(&values));
    }
    TRY(buf_status(&content, err));
    if (content.len == 0) return ST_OK;
    return past_put(store, before->id, 0, seq, store->laptop->state.round_ms, buf_slice(&content),
                    err);
}

enum status past_forget(struct store *store, int64_t row, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "DELETE FROM past WHERE row_id = ?", &s, err));
    db_bind_int(s, 1, row);
    return db_run(s, err);
}

/* ------------------------------------------------------------------ telling */

/* Lines are gathered, then told in the order of the log. */
struct told_line {
    int64_t order, place;
    struct history_line line;
};

struct telling {
    struct store *store;
    int64_t row;
    const struct entity *e;
    uint32_t device;
    struct arena *mem;
    struct told_line *lines;
    size_t count, room;
    bool made;       /* the row's creation is among them */
    uint32_t *known; /* batches whose values are known, in no order */
    size_t known_count, known_room;
};

#define AFTER_ALL (INT64_C(1) << 32)

static enum status add_line(struct telling *t, int64_t order, struct history_line line,
                            struct err *err) {
    if (t->count == t->room) {
        size_t room = t->room ? t->room * 2 : 64;
        struct told_line *lines = ARENA_ARRAY(t->mem, room, struct told_line);
        if (!lines) return err_no_memory(err);
        if (t->count) memcpy(lines, t->lines, t->count * sizeof *lines);
        t->lines = lines;
        t->room = room;
    }
    bool is_news = strcmp(line.what, "news") == 0; /* what the server made of a change follows it */
    if (!is_news) TRY(store_person(t->store, line.device, t->mem, &line.person, err));
    t->lines[t->count] =
        (struct told_line){order, (int64_t)t->count + (is_news ? AFTER_ALL : 0), line};
    t->count++;
    return ST_OK;
}

static int in_order(const void *a, const void *b) {
    const struct told_line *x = a, *y = b;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static const char *kind_word(enum change_kind kind) {
    switch (kind) {
    case CHANGE_CREATE: return "create";
    case CHANGE_EDIT: return "edit";
    case CHANGE_DELETE: return "delete";
    }
    return "edit";
}

static enum status know_batch(struct telling *t, uint32_t batch, struct err *err) {
    if (t->known_count == t->known_room) {
        size_t room = t->known_room ? t->known_room * 2 : 64;
        uint32_t *known = ARENA_ARRAY(t->mem, room, uint32_t);
        if (!known) return err_no_memory(err);
        if (t->known_count) memcpy(known, t->known, t->known_count * sizeof *known);
        t->known = known;
        t->known_room = room;
    }
    t->known[t->known_count++] = batch;
    return ST_OK;
}

static bool knows_batch(const struct telling *t, uint32_t batch) {
    for (size_t i = 0; i < t->known_count; i++)
        if (t->known[i] == batch) return true;
    return false;
}

/* ------------------------------------------------------------------ what was kept */

struct past {
    int64_t n;
    uint32_t batch;
    int64_t seq, at_ms;
    struct slice content;
};

static enum status past_next(struct telling *t, struct past *p, bool *out_found, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(t->store->db,
                   "SELECT n, batch, seq, at_ms, content FROM past WHERE row_id = ? AND n > ? "
                   "ORDER BY n LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, t->row);
    db_bind_int(s, 2, p->n);
    TRY(db_step(s, out_found, err));
    if (*out_found)
        *p = (struct past){.n = db_int(s, 0),
                           .batch = (uint32_t)db_int(s, 1),
                           .seq = db_int(s, 2),
                           .at_ms = db_int(s, 3),
                           .content = arena_copy(t->mem, db_blob(s, 4))};
    db_reset(s);
    return *out_found && !p->content.data ? err_no_memory(err) : ST_OK;
}

static enum status tell_own(struct telling *t, const struct past *p, struct err *err) {
    struct reader r = reader_of(p->content);
    uint64_t outcomes[ENTITY_FIELDS_MAX + 1] = {0};
    struct change change;
    uint64_t count = reader_varint_max(&r, ENTITY_FIELDS_MAX);
    outcomes[0] = reader_varint_max(&r, OUTCOME_COUNT - 1);
    for (uint64_t i = 0; i < count; i++) outcomes[i + 1] = reader_varint_max(&r, OUTCOME_COUNT - 1);
    struct slice bytes = reader_take(&r, reader_left(&r));
    if (r.failed || change_read(bytes, t->mem, &change, NULL) != ST_OK) return ST_OK;
    TRY(know_batch(t, p->batch, err));
    t->made |= change.kind == CHANGE_CREATE;
    struct history_line line = {.seq = p->seq,
                                .time_ms = p->at_ms,
                                .device = t->device,
                                .what = kind_word(change.kind),
                                .detail = slice_from(outcome_name((enum outcome)outcomes[0]))};
    if (change.kind == CHANGE_DELETE || change.edit_count == 0)
        return add_line(t, p->seq, line, err);
    for (size_t i = 0; i < change.edit_count; i++) {
        const struct edit *edit = &change.edits[i];
        line.cell_tag = edit->cell_tag;
        line.kind = edit->kind;
        line.values = edit->values;
        line.value_count = edit->value_count;
        if (i < count) line.detail = slice_from(outcome_name((enum outcome)outcomes[i + 1]));
        TRY(add_line(t, p->seq, line, err));
    }
    return ST_OK;
}

static enum status tell_news(struct telling *t, const struct past *p, struct err *err) {
    struct reader r = reader_of(p->content);
    while (!r.failed && reader_left(&r) > 0) {
        struct history_line line = {.seq = p->seq, .time_ms = p->at_ms, .what = "news"};
        struct value *values = NULL;
        size_t count = 0;
        line.cell_tag = (uint32_t)reader_varint_max(&r, UINT32_MAX);
        struct slice bytes = reader_bytes(&r, PAST_BYTES);
        bool readable = !r.failed && bytes.len > 0 &&
                        values_read(bytes, t->mem, &values, &count, NULL) == ST_OK;
        line.values = readable ? values : NULL;
        line.value_count = readable ? count : 0;
        if (!r.failed) TRY(add_line(t, p->seq, line, err));
    }
    return ST_OK;
}

static enum status tell_past(struct telling *t, struct err *err) {
    struct past p = {0};
    bool found;
    for (;;) {
        TRY(past_next(t, &p, &found, err));
        if (!found) return ST_OK;
        TRY(p.batch ? tell_own(t, &p, err) : tell_news(t, &p, err));
    }
}

/* ------------------------------------------------------------------ the other sources */

/* Of longer ago, of imports and of long texts only the receipt is left. */
static enum status tell_answer(void *ctx, const struct receipt_note *note, struct err *err) {
    struct telling *t = ctx;
    if (note->row != t->row || knows_batch(t, note->batch)) return ST_OK;
    t->made |= note->kind == CHANGE_CREATE;
    struct history_line line = {.seq = note->at,
                                .time_ms = note->time_ms,
                                .device = t->device,
                                .what = kind_word(note->kind),
                                .cell_tag = note->cell_tag,
                                .detail = slice_from(outcome_name(note->outcome))};
    return add_line(t, note->at, line, err);
}

static enum status tell_lost(struct telling *t, struct err *err) {
    for (struct entry_walk walk = {.row = t->row};;) {
        TRY(entry_next(t->store, &walk, t->mem, err));
        if (!walk.found) return ST_OK;
        const struct ledger_entry *l = &walk.entry;
        struct history_line line = {.seq = l->seq,
                                    .time_ms = l->loser_time_ms,
                                    .device = l->loser_device,
                                    .what = "lost",
                                    .cell_tag = l->cell_tag,
                                    .values = l->loser,
                                    .value_count = l->loser ? l->value_count : 0,
                                    .detail = slice_from(rule_name(l->rule))};
        TRY(add_line(t, l->seq, line, err));
    }
}

/* What head office decided of own edits that waited. */
static enum status tell_decided(void *ctx, const struct held *held, struct err *err) {
    struct telling *t = ctx;
    bool decided = held->state == HELD_APPROVED || held->state == HELD_DECLINED;
    if (held->row != t->row || !decided || held->decided_seq == 0) return ST_OK;
    struct history_line line = {.seq = held->decided_seq,
                                .time_ms = held->decided_ms,
                                .what = held_state_name(held->state),
                                .cell_tag = held->id.cell_tag};
    if (held->id.cell_tag && held->change->edit_count == 1) {
        const struct edit *edit = &held->change->edits[0];
        struct value *values = ARENA_ARRAY(t->mem, edit->value_count + 1, struct value);
        if (!values) return err_no_memory(err);
        for (size_t i = 0; i < edit->value_count; i++)
            if (!value_copy(edit->values[i], t->mem, &values[i])) return err_no_memory(err);
        line.kind = edit->kind;
        line.values = values;
        line.value_count = edit->value_count;
    }
    return add_line(t, held->decided_seq, line, err);
}

static enum status tell_waiting_edits(struct telling *t, const struct change *change,
                                      struct history_line line, struct err *err) {
    line.what = kind_word(change->kind);
    t->made |= change->kind == CHANGE_CREATE;
    for (size_t i = 0; i < change->edit_count; i++) {
        struct edit edit = change->edits[i];
        struct value *values = ARENA_ARRAY(t->mem, edit.value_count + 1, struct value);
        if (!values) return err_no_memory(err);
        for (size_t k = 0; k < edit.value_count; k++)
            if (!value_copy(edit.values[k], t->mem, &values[k])) return err_no_memory(err);
        line.cell_tag = edit.cell_tag;
        line.kind = edit.kind;
        line.values = values;
        line.value_count = edit.value_count;
        TRY(add_line(t, INT64_MAX, line, err));
    }
    return ST_OK;
}

static enum status tell_waiting(void *ctx, struct outbox_row *row, struct err *err) {
    struct telling *t = ctx;
    for (size_t i = 0; i < row->batch.change_count; i++) {
        const struct change *change = &row->batch.changes[i];
        struct history_line line = {.time_ms = row->made_ms, .device = t->device, .what = "delete"};
        bool deleted = false;
        for (size_t k = 0; k < change->unit_count; k++) deleted |= change->unit[k].row == t->row;
        if (deleted) TRY(add_line(t, INT64_MAX, line, err));
        if (change->row == t->row && change->kind != CHANGE_DELETE)
            TRY(tell_waiting_edits(t, change, line, err));
    }
    return ST_OK;
}

enum status store_history(struct store *store, const struct entity *e, int64_t id,
                          store_history_row *row, void *ctx, struct err *err) {
    enum {
        HISTORY_CAP = 4 * STORE_SCRATCH_CAP
    }; /* every entry of one row, all as long as can be */
    struct arena mem SCOPED(arena_clear) = arena_new(HISTORY_CAP);
    struct laptop *laptop;
    TRY(laptop_get(store, &laptop, err));
    struct telling t = {.store = store, .row = id, .e = e, .device = laptop->device, .mem = &mem};
    TRY(tell_past(&t, err));
    TRY(store_receipts(store, 0, tell_answer, &t, err));
    TRY(tell_lost(&t, err));
    TRY(store_held(store, true, tell_decided, &t, err));
    TRY(outbox_walk(store->db, 0, tell_waiting, &t, err));
    struct history_line maker = {.device = id_device(id), .what = "create"};
    if (!t.made) TRY(add_line(&t, -1, maker, err));
    qsort(t.lines, t.count, sizeof *t.lines, in_order);
    for (size_t i = 0; i < t.count; i++) TRY(row(ctx, &t.lines[i].line, err));
    return ST_OK;
}
