/* What became of a person's work, for people: conflicts, receipts, status. */
#include "syncd/store/laptop.h"

#include <assert.h>
#include <string.h>

/* ------------------------------------------------------------------ conflicts */

static enum status take_entry_values(struct db_stmt *s, int column, struct arena *mem,
                                     struct value **out, size_t *count, struct err *err) {
    struct slice bytes = arena_copy(mem, db_blob(s, column));
    *out = NULL;
    *count = 0;
    return bytes.len == 0 ? ST_OK : values_read(bytes, mem, out, count, err);
}

static enum status take_entry(struct db_stmt *s, struct arena *mem, struct ledger_entry *out,
                              struct err *err) {
    struct ledger_entry l = {.seq = db_int(s, 0),
                             .entity_tag = (uint32_t)db_int(s, 1),
                             .row = db_int(s, 2),
                             .cell_tag = (uint32_t)db_int(s, 3),
                             .rule = (enum rule)db_int(s, 4),
                             .base_seq = db_int(s, 5),
                             .loser_device = (uint32_t)db_int(s, 6),
                             .winner_device = (uint32_t)db_int(s, 7),
                             .loser_batch = (uint32_t)db_int(s, 8),
                             .loser_time_ms = db_int(s, 9),
                             .winner_time_ms = db_int(s, 10),
                             .winner_is_new = db_int(s, 11) != 0};
    size_t losers, winners;
    TRY(take_entry_values(s, 12, mem, &l.loser, &losers, err));
    TRY(take_entry_values(s, 13, mem, &l.winner, &winners, err));
    l.value_count = losers > winners ? losers : winners;
    if (l.loser && losers < l.value_count) l.loser = NULL;
    if (l.winner && winners < l.value_count) l.winner = NULL;
    *out = l;
    return ST_OK;
}

#define ENTRY_COLUMNS                                                                              \
    "SELECT seq, entity, row_id, cell, rule, base_seq, loser_device, winner_device, loser_batch, " \
    "loser_ms, winner_ms,"                                                                         \
    " winner_is_new, loser, winner, done, rowid FROM ledger WHERE rowid > ?"

enum status entry_next(struct store *store, struct entry_walk *w, struct arena *mem,
                       struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db,
                   w->row   ? ENTRY_COLUMNS " AND row_id = ? ORDER BY rowid LIMIT 1"
                   : w->seq ? ENTRY_COLUMNS " AND seq = ? ORDER BY rowid LIMIT 1"
                            : ENTRY_COLUMNS " ORDER BY rowid LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, w->after);
    if (w->row || w->seq) db_bind_int(s, 2, w->row ? w->row : w->seq);
    TRY(db_step(s, &w->found, err));
    enum status status = w->found ? take_entry(s, mem, &w->entry, err) : ST_OK;
    if (w->found) {
        w->done = db_int(s, 14) != 0;
        w->after = db_int(s, 15);
    }
    db_reset(s);
    return status;
}

static enum status title_of(struct store *store, uint32_t entity, int64_t row, struct arena *mem,
                            struct slice *out, struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(store->cat, entity);
    *out = (struct slice){0};
    TRY(alias_resolve(store->db, row, &row, err));
    enum status status = e ? store_title(store, e, row, mem, out, err) : ST_NOT_FOUND;
    return status == ST_NOT_FOUND ? ST_OK : status;
}

enum status store_conflicts(struct store *store, bool also_done, store_conflict_row *row, void *ctx,
                            struct err *err) {
    for (struct entry_walk walk = {0};;) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        TRY(entry_next(store, &walk, &mem, err));
        if (!walk.found) return ST_OK;
        if (walk.done && !also_done) continue;
        struct conflict conflict = {.entry = walk.entry, .done = walk.done};
        TRY(title_of(store, walk.entry.entity_tag, walk.entry.row, &mem, &conflict.row_title, err));
        TRY(row(ctx, &conflict, err));
    }
}

/* What the person was shown: in that cell what won then. What came to stand there since is as
 * unseen as with any form that is older than the row. */
static enum status shown_then(struct store *store, const struct entity *e, const struct cell *cell,
                              const struct ledger_entry *l, int64_t row, struct arena *mem,
                              struct form *out, struct err *err) {
    bool same = true;
    TRY(store_form(store, e, row, mem, out, err));
    struct value *shown = &out->values[cell->first];
    struct base *base = &out->bases[cell->index];
    for (size_t i = 0; i < cell->count; i++) same = same && value_equal(shown[i], l->winner[i]);
    if (same || base->own != 0 || base->seq <= l->seq) return ST_OK;
    memcpy(shown, l->winner, cell->count * sizeof *shown);
    base->seq = l->seq;
    return ST_OK;
}

/* The value that lost, as a new edit by someone who saw what won. */
static enum status write_loser(struct store *store, const struct ledger_entry *l, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    const struct entity *e = catalogue_entity_by_tag(store->cat, l->entity_tag);
    const struct cell *cell = e ? entity_cell(e, l->cell_tag) : NULL;
    struct field_edit edits[ENTITY_FIELDS_MAX];
    struct form form;
    int64_t row = l->row;
    bool changed;
    if (!cell || l->cell_tag == 0 || !l->loser || l->value_count != cell->count)
        return err_set(err, ST_INVALID, "there is no single value to take back: edit the row",
                       "没有可恢复的单个值：请直接修改该记录");
    TRY(alias_resolve(store->db, row, &row, err));
    TRY(shown_then(store, e, cell, l, row, &mem, &form, err));
    for (size_t i = 0; i < cell->count; i++)
        edits[i] = (struct field_edit){&e->fields[cell->first + i], FIELD_EDIT_SET, l->loser[i]};
    return save_edit(store, e, row, edits, cell->count, &form, NULL, &changed, err);
}

/* By its name, or as people see it in either language. */
static bool is_called(const struct entity *e, const struct cell *cell, struct slice text) {
    bool same = slice_equal(text, slice_from(cell_name(e, cell)));
    for (int lang = 0; lang < LANG_COUNT && !same; lang++) {
        struct buf label SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
        cell_write_label(e, cell, (enum lang)lang, &label);
        same = slice_equal(text, buf_slice(&label));
        for (size_t i = 0; i < cell->count && !same; i++)
            same = slice_equal(text, slice_from(e->fields[cell->first + i].label[lang]));
    }
    for (size_t i = 0; i < cell->count && !same; i++)
        same = slice_equal(text, slice_from(e->fields[cell->first + i].name));
    return same;
}

static bool is_chosen(const struct store *store, const struct ledger_entry *l,
                      const struct conflict_choice *choice) {
    const struct entity *e = catalogue_entity_by_tag(store->cat, l->entity_tag);
    const struct cell *cell = e && l->cell_tag ? entity_cell(e, l->cell_tag) : NULL;
    if (choice->field.len == 0) return true;
    return cell && is_called(e, cell, choice->field);
}

static bool takes_loser(const struct store *store, const struct ledger_entry *l,
                        enum conflict_take take) {
    if (take == CONFLICT_TAKE_MINE) return l->loser_device == store->laptop->device;
    return take == CONFLICT_TAKE_LOST;
}

static enum status set_done(struct store *store, int64_t entry, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, "UPDATE ledger SET done = 1 WHERE rowid = ?", &s, err));
    db_bind_int(s, 1, entry);
    return db_run(s, err);
}

static enum status resolve(struct store *store, const struct conflict_choice *choice,
                           size_t *out_written, struct err *err) {
    struct entry_walk walk = {.seq = choice->seq};
    bool any = false;
    *out_written = 0;
    for (;;) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        TRY(entry_next(store, &walk, &mem, err));
        if (!walk.found) break;
        if (!is_chosen(store, &walk.entry, choice)) continue;
        any = true;
        if (takes_loser(store, &walk.entry, choice->take)) {
            TRY(write_loser(store, &walk.entry, err));
            (*out_written)++;
        }
        TRY(set_done(store, walk.after, err));
    }
    if (any) return ST_OK;
    return err_set(err, ST_NOT_FOUND, "there is no conflict %lld%s%.*s",
                   "没有编号为%lld%s%.*s的冲突", (long long)choice->seq,
                   choice->field.len ? "." : "", (int)choice->field.len,
                   choice->field.len ? (const char *)choice->field.data : "");
}

/* Commits what has no batch too. */
static enum status commit_any(struct store *store, struct err *err) {
    uint32_t batch;
    if (store->laptop->save.batch.change_count > 0) return store_commit(store, &batch, err);
    TRY(db_commit(store->db, err));
    store_rollback(store);
    return ST_OK;
}

enum status store_conflict_resolve(struct store *store, const struct conflict_choice *choice,
                                   size_t *out_written, struct err *err) {
    size_t written = 0;
    TRY(store_begin(store, err));
    enum status status = resolve(store, choice, &written, err);
    if (status == ST_OK) status = commit_any(store, err);
    if (status == ST_OK)
        *out_written = written;
    else
        store_rollback(store);
    return status;
}

/* ------------------------------------------------------------------ receipts */

struct notes {
    struct store *store;
    store_receipt_row *row;
    void *ctx;
    int64_t left; /* notes still wanted; below 0: all */
};

static enum status tell_note(struct notes *notes, const struct receipt_note *note,
                             struct err *err) {
    if (notes->left == 0) return ST_OK;
    if (notes->left > 0) notes->left--;
    return notes->row(notes->ctx, note, err);
}

static enum status tell_change(struct notes *notes, struct receipt_note note, struct reader *r,
                               struct err *err) {
    uint64_t others;
    note.entity =
        catalogue_entity_by_tag(notes->store->cat, (uint32_t)reader_varint_max(r, UINT32_MAX));
    uint64_t head = reader_varint_max(r, 3 * OUTCOME_COUNT - 1);
    note.kind = (enum change_kind)(head / OUTCOME_COUNT);
    note.outcome = (enum outcome)(head % OUTCOME_COUNT);
    note.reason = (enum reason)reader_varint_max(r, UINT32_MAX);
    note.row += reader_signed(r);
    others = reader_varint_max(r, ENTITY_FIELDS_MAX);
    bool by_cell =
        note.kind == CHANGE_EDIT && others > 0; /* what became of an edit is said cell by cell */
    if (!r->failed && !by_cell) TRY(tell_note(notes, &note, err));
    for (uint64_t i = 0; i < others && !r->failed; i++) {
        struct receipt_note cell = note;
        cell.cell_tag = (uint32_t)reader_varint_max(r, UINT32_MAX);
        cell.outcome = (enum outcome)reader_varint_max(r, OUTCOME_COUNT - 1);
        cell.reason = (enum reason)reader_varint_max(r, UINT32_MAX);
        if (!r->failed) TRY(tell_note(notes, &cell, err));
    }
    return ST_OK;
}

/* The row ids are deltas: the walk keeps the last. */
static enum status tell_batch(struct notes *notes, struct receipt_note note, struct slice content,
                              struct err *err) {
    struct reader r = reader_of(content);
    while (!r.failed && reader_left(&r) > 0) {
        struct reader ahead = r;
        (void)reader_varint(&ahead);
        (void)reader_varint(&ahead);
        (void)reader_varint(&ahead);
        int64_t row = note.row + reader_signed(&ahead);
        TRY(tell_change(notes, note, &r, err));
        note.row = row;
    }
    return ST_OK;
}

static enum status next_receipt(struct store *store, int64_t below, struct arena *mem,
                                struct receipt_note *out, struct slice *out_content,
                                bool *out_found, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db,
                   "SELECT batch, at, time_ms, content FROM receipt WHERE batch < ? ORDER BY batch "
                   "DESC LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, below);
    TRY(db_step(s, out_found, err));
    if (*out_found) {
        *out = (struct receipt_note){
            .batch = (uint32_t)db_int(s, 0), .at = db_int(s, 1), .time_ms = db_int(s, 2)};
        *out_content = arena_copy(mem, db_blob(s, 3));
    }
    db_reset(s);
    return ST_OK;
}

enum status store_receipts(struct store *store, int64_t limit, store_receipt_row *row, void *ctx,
                           struct err *err) {
    struct notes notes = {store, row, ctx, limit > 0 ? limit : -1};
    for (int64_t below = INT64_MAX; notes.left != 0;) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        struct receipt_note note;
        struct slice content;
        bool found;
        TRY(next_receipt(store, below, &mem, &note, &content, &found, err));
        if (!found) return ST_OK;
        below = note.batch;
        TRY(tell_batch(&notes, note, content, err));
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ people */

enum status store_person(struct store *store, uint32_t device, struct arena *mem, struct slice *out,
                         struct err *err) {
    struct db_stmt *s;
    bool row;
    struct slice name = {0};
    TRY(db_prepare(store->db, "SELECT name FROM people WHERE device = ?", &s, err));
    db_bind_int(s, 1, device);
    TRY(db_step(s, &row, err));
    if (row) name = arena_copy(mem, db_text(s, 0));
    db_reset(s);
    if (name.len == 0)
        name = slice_from(arena_printf(mem, device == 0 ? "head office" : "device %u", device));
    if (!name.data) return err_no_memory(err);
    *out = name;
    return ST_OK;
}

/* ------------------------------------------------------------------ status */

static enum status count_rows(struct store *store, int64_t *out, struct err *err) {
    int64_t total = 0;
    for (size_t i = 0; i < store->cat->count; i++) {
        struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
        char table[128];
        int64_t rows;
        (void)snprintf(table, sizeof table, "r_%s", store->cat->entities[i].name);
        buf_put_text(&sql, "SELECT count(*) FROM ");
        rows_put_name(&sql, table);
        buf_put_text(&sql, " WHERE _gone IS NULL");
        TRY(buf_status(&sql, err));
        TRY(laptop_number(store, buf_text(&sql), &rows, err));
        total += rows;
    }
    *out = total;
    return ST_OK;
}

static void copy_text(char out[256], struct slice text) {
    text = text_prefix(text, 255);
    memcpy(out, text.data ? text.data : (const uint8_t *)"", text.len);
    out[text.len] = 0;
}

static enum status take_attempt(struct store *store, struct store_status *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(store->db, "SELECT at_ms, error_en, error_zh FROM attempt WHERE one = 1", &s,
                   err));
    TRY(db_step(s, &row, err));
    if (row) {
        out->last_attempt_ms = db_int(s, 0);
        copy_text(out->last_error[LANG_EN], db_text(s, 1));
        copy_text(out->last_error[LANG_ZH], db_text(s, 2));
    }
    db_reset(s);
    return ST_OK;
}

enum status store_status(struct store *store, struct store_status *out, struct err *err) {
    struct laptop *laptop;
    TRY(laptop_get(store, &laptop, err));
    const struct laptop_state *state = &laptop->state;
    struct store_status st = {.cursor = state->cursor.seq,
                              .head = state->head,
                              .epoch = state->epoch,
                              .complete = state->complete,
                              .last_round_ms = state->round_ms};
    const struct {
        const char *sql;
        int64_t *out;
    } numbers[] = {
        {"SELECT count(*) FROM outbox WHERE done = 0", &st.outbox_batches},
        {"SELECT coalesce(sum(changes), 0) FROM outbox WHERE done = 0", &st.outbox_changes},
        {"SELECT count(*) FROM outbox WHERE done = 0 AND sent = 0", &st.unsent_batches},
        {"SELECT count(*) FROM ledger WHERE done = 0", &st.conflicts_open},
        {"SELECT count(*) FROM held WHERE state = 0", &st.held_open},
        {"SELECT count(*) FROM held WHERE state = 3 AND seen IS NULL", &st.declined},
        {"SELECT count(*) FROM others", &st.others_held},
    };
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
        TRY(laptop_number(store, numbers[i].sql, numbers[i].out, err));
    TRY(count_rows(store, &st.rows, err));
    TRY(homes_status(store, state, &st, err));
    TRY(take_attempt(store, &st, err));
    *out = st;
    return ST_OK;
}

enum status store_attempt(struct store *store, const struct err *failure, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(
        store->db,
        "INSERT OR REPLACE INTO attempt(one, at_ms, error_en, error_zh) VALUES (1,?,?,?)", &s,
        err));
    db_bind_int(s, 1, store->env->wall_ms(store->env->ctx));
    db_bind_text(s, 2, slice_from(failure ? failure->text[LANG_EN] : ""));
    db_bind_text(s, 3, slice_from(failure ? failure->text[LANG_ZH] : ""));
    return db_run(s, err);
}
