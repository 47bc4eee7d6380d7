/* Own edits that the server did not take. They stay visible over the server's value until someone
 * decides: edit and retry is the save of a form that showed what the author of the refused edit was
 * shown.
 */
#include "syncd/store/laptop.h"

#include <assert.h>
#include <string.h>

struct held_entry {
    struct held held;
    struct change change;
    uint32_t retried;   /* the batch that sends it again; 0: none */
    struct slice shown; /* values before the edit; empty: not known */
};

static enum status take_held(struct store *store, struct db_stmt *s, struct arena *mem,
                             struct held_entry *out, struct err *err) {
    struct held_entry entry = {
        .held = {.id = {(uint32_t)db_int(s, 0), (uint32_t)db_int(s, 1), (uint32_t)db_int(s, 2)},
                 .entity = catalogue_entity_by_tag(store->cat, (uint32_t)db_int(s, 3)),
                 .row = db_int(s, 4),
                 .outcome = (enum outcome)db_int(s, 5),
                 .reason = (enum reason)db_int(s, 6),
                 .state = (enum held_state)db_int(s, 7),
                 .decided_seq = db_int(s, 11),
                 .decided_ms = db_int(s, 12),
                 .seen = db_int(s, 13) != 0},
        .retried = (uint32_t)db_int(s, 8)};
    struct slice content = arena_copy(mem, db_blob(s, 9));
    entry.shown = arena_copy(mem, db_blob(s, 10));
    if (!content.data || !entry.shown.data) return err_no_memory(err);
    TRY(change_read(content, mem, &entry.change, err));
    *out = entry;
    return ST_OK;
}

static const char *const next_sql =
    "SELECT batch, change, cell, entity, row_id, outcome, reason, state, retried, content, shown, "
    "decided_seq, decided_ms, seen FROM held"
    " WHERE (batch, change, cell) > (?,?,?) ORDER BY batch, change, cell LIMIT 1";
static const char *const one_sql = "SELECT batch, change, cell, entity, row_id, outcome, reason, "
                                   "state, retried, content, shown, decided_seq, decided_ms, "
                                   "seen FROM held"
                                   " WHERE (batch, change, cell) = (?,?,?)";

static enum status find_held(struct store *store, const char *sql, int64_t batch, int64_t change,
                             int64_t cell, struct arena *mem, struct held_entry *out,
                             bool *out_found, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, sql, &s, err));
    db_bind_int(s, 1, batch);
    db_bind_int(s, 2, change);
    db_bind_int(s, 3, cell);
    TRY(db_step(s, out_found, err));
    enum status status = *out_found ? take_held(store, s, mem, out, err) : ST_OK;
    db_reset(s);
    return status;
}

enum status store_held(struct store *store, bool also_closed, store_held_row *row, void *ctx,
                       struct err *err) {
    int64_t batch = 0, change = 0, cell = 0;
    for (;;) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        struct held_entry entry;
        bool found;
        TRY(find_held(store, next_sql, batch, change, cell, &mem, &entry, &found, err));
        if (!found) return ST_OK;
        batch = entry.held.id.batch;
        change = entry.held.id.change;
        cell = entry.held.id.cell_tag;
        entry.held.change = &entry.change;
        if (!entry.held.entity || (entry.held.state != HELD_OPEN && !also_closed)) continue;
        TRY(row(ctx, &entry.held, err));
    }
}

static enum status get_open(struct store *store, const struct refusal_id *id, struct arena *mem,
                            struct held_entry *out, struct err *err) {
    bool found;
    TRY(find_held(store, one_sql, id->batch, id->change, id->cell_tag, mem, out, &found, err));
    if (found && out->held.entity && out->held.state == HELD_OPEN) return ST_OK;
    return err_set(err, ST_NOT_FOUND,
                   "no edit %u.%u.%u is held (roadbook held shows those that are)",
                   "没有编号为 %u.%u.%u 的待处理修改（可用 roadbook held 查看）", id->batch,
                   id->change, id->cell_tag);
}

/* ------------------------------------------------------------------ sending it again */

enum status held_say_again(const struct entity *e, const struct change *change, struct arena *mem,
                           struct field_edit **out, size_t *out_count, struct err *err) {
    struct field_edit *edits = ARENA_ARRAY(mem, 2 * ENTITY_FIELDS_MAX, struct field_edit);
    size_t count = 0;
    if (!edits) return err_no_memory(err);
    for (size_t i = 0; i < change->edit_count && count + 2 < 2 * ENTITY_FIELDS_MAX; i++) {
        const struct edit *edit = &change->edits[i];
        const struct cell *cell = entity_cell(e, edit->cell_tag);
        if (!cell) continue;
        const struct field *f = &e->fields[cell->first];
        if (edit->kind == EDIT_COUNT) {
            edits[count++] = (struct field_edit){f, FIELD_EDIT_COUNT, edit->values[0]};
        } else if (edit->kind == EDIT_ELEMENTS) {
            edits[count++] = (struct field_edit){f, FIELD_EDIT_ADD, edit->values[0]};
            edits[count++] = (struct field_edit){f, FIELD_EDIT_REMOVE, edit->values[1]};
        } else {
            for (size_t k = 0; k < edit->value_count && k < cell->count; k++)
                edits[count++] = (struct field_edit){&e->fields[cell->first + k], FIELD_EDIT_SET,
                                                     edit->values[k]};
        }
    }
    *out = edits;
    *out_count = count;
    return ST_OK;
}

/* New values take the place of those of the same fields. */
static size_t replace_edits(struct field_edit *said, size_t count, const struct field_edit *edits,
                            size_t edit_count) {
    for (size_t i = 0; i < edit_count && count < 2 * ENTITY_FIELDS_MAX; i++) {
        size_t kept = 0;
        for (size_t k = 0; k < count; k++)
            if (said[k].field != edits[i].field) said[kept++] = said[k];
        said[kept] = edits[i];
        count = kept + 1;
    }
    return count;
}

/* The form that the author had: today's row, with what was shown then in the cells of the refused
 * edit. */
static enum status form_of(struct store *store, const struct held_entry *entry, struct arena *mem,
                           struct form *out, struct err *err) {
    const struct entity *e = entry->held.entity;
    int64_t row;
    TRY(alias_resolve(store->db, entry->held.row, &row, err));
    TRY(store_form(store, e, row, mem, out, err));
    for (size_t i = 0; i < entry->change.edit_count; i++) {
        const struct cell *cell = entity_cell(e, entry->change.edits[i].cell_tag);
        struct value *shown;
        size_t count;
        if (!cell || entry->shown.len == 0) continue;
        TRY(values_read(entry->shown, mem, &shown, &count, err));
        if (count != cell->count) continue;
        memcpy(&out->values[cell->first], shown, count * sizeof *shown);
        out->bases[cell->index] = entry->change.edits[i].base;
    }
    return ST_OK;
}

static enum status check_not_retried(struct store *store, const struct held_entry *entry,
                                     struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct outbox_row row;
    bool found;
    if (entry->retried == 0) return ST_OK;
    TRY(outbox_get(store->db, entry->retried, &mem, &row, &found, err));
    if (!found) return ST_OK;
    return err_set(err, ST_CONFLICT, "it was sent again already, in batch %u",
                   "已在批次%u中重新提交", entry->retried);
}

static enum status send_again(struct store *store, const struct held_entry *entry,
                              const struct field_edit *edits, size_t count, struct arena *mem,
                              struct err *err) {
    const struct entity *e = entry->held.entity;
    struct field_edit *said;
    struct form form;
    size_t said_count, rows;
    int64_t id;
    bool changed;
    TRY(held_say_again(e, &entry->change, mem, &said, &said_count, err));
    said_count = replace_edits(said, said_count, edits, count);
    switch (entry->change.kind) {
    case CHANGE_DELETE: return save_delete(store, e, entry->held.row, &entry->held.id, &rows, err);
    case CHANGE_CREATE:
        if (entry->held.id.cell_tag == 0)
            return save_create(store, e, entry->held.row, said, said_count, &entry->held.id, &id,
                               err);
        break;
    case CHANGE_EDIT: break;
    }
    TRY(form_of(store, entry, mem, &form, err));
    TRY(save_edit(store, e, form.row, said, said_count, &form, &entry->held.id, &changed, err));
    if (changed) return ST_OK;
    return err_set(err, ST_CONFLICT, "the row has this value already", "该记录已是此值");
}

static enum status mark(struct store *store, const struct refusal_id *id, const char *sql,
                        int64_t value, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, sql, &s, err));
    db_bind_int(s, 1, value);
    db_bind_int(s, 2, id->batch);
    db_bind_int(s, 3, id->change);
    db_bind_int(s, 4, id->cell_tag);
    return db_run(s, err);
}

static enum status retry(struct store *store, const struct refusal_id *id,
                         const struct field_edit *edits, size_t count, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct held_entry entry;
    uint32_t batch;
    TRY(get_open(store, id, &mem, &entry, err));
    TRY(check_not_retried(store, &entry, err));
    TRY(send_again(store, &entry, edits, count, &mem, err));
    TRY(mark(store, id, "UPDATE held SET retried = ? WHERE batch = ? AND change = ? AND cell = ?",
             store->laptop->save.batch.number, err));
    return store_commit(store, &batch, err);
}

enum status store_held_retry(struct store *store, const struct refusal_id *id,
                             const struct field_edit *edits, size_t count, struct err *err) {
    TRY(store_begin(store, err));
    enum status status = retry(store, id, edits, count, err);
    if (status != ST_OK) store_rollback(store);
    return status;
}

/* ------------------------------------------------------------------ giving it up */

/* Head office sees it as open until it hears: a batch of its own, with a change without edits. */
static enum status withdraw(struct store *store, const struct refusal_id *id, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct held_entry entry;
    struct change *change;
    uint32_t batch;
    TRY(get_open(store, id, &mem, &entry, err));
    TRY(check_not_retried(store, &entry, err));
    TRY(save_change(store, entry.held.entity, entry.held.row, &change, err));
    TRY(change_add_retries(store, change, id, 1, err));
    TRY(mark(store, id, "UPDATE held SET retried = ? WHERE batch = ? AND change = ? AND cell = ?",
             store->laptop->save.batch.number, err));
    TRY(mark(store, id, "UPDATE held SET state = ? WHERE batch = ? AND change = ? AND cell = ?",
             HELD_WITHDRAWN, err));
    return store_commit(store, &batch, err);
}

/* No edit, so no batch: *out_done false: it was not declined. */
static enum status take_note(struct store *store, const struct refusal_id *id, bool *out_done,
                             struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct held_entry entry;
    bool found;
    TRY(find_held(store, one_sql, id->batch, id->change, id->cell_tag, &mem, &entry, &found, err));
    *out_done = found && entry.held.state == HELD_DECLINED;
    if (!*out_done) return ST_OK;
    return mark(store, id, "UPDATE held SET seen = ? WHERE batch = ? AND change = ? AND cell = ?",
                1, err);
}

enum status store_held_drop(struct store *store, const struct refusal_id *id, struct err *err) {
    bool done;
    TRY(take_note(store, id, &done, err));
    if (done) return ST_OK;
    TRY(store_begin(store, err));
    enum status status = withdraw(store, id, err);
    if (status != ST_OK) store_rollback(store);
    return status;
}
