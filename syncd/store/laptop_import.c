/* Taking an import back: batches that were not sent are emptied; of the rest each row that nobody
 * touched since is deleted, or gets its old values, by new batches.
 */
#include "syncd/store/laptop.h"

#include <string.h>

struct revert {
    struct store *store;
    int64_t import_id;
    int64_t rows, kept;
};

/* One thing that the import did; cell 0: it made the row. */
struct import_row {
    uint32_t batch, cell, entity;
    int64_t row;
    struct slice before, after;
};

/* The newest below (batch, row, cell). */
static enum status next_import_row(struct revert *r, const struct import_row *below,
                                   struct arena *mem, struct import_row *out, bool *out_found,
                                   struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(
        r->store->db,
        "SELECT batch, row_id, cell, entity, before, after FROM import_row WHERE import_id = ?"
        " AND (batch, row_id, cell) < (?,?,?) ORDER BY batch DESC, row_id DESC, cell DESC LIMIT 1",
        &s, err));
    db_bind_int(s, 1, r->import_id);
    db_bind_int(s, 2, below->batch);
    db_bind_int(s, 3, below->row);
    db_bind_int(s, 4, below->cell);
    TRY(db_step(s, out_found, err));
    if (*out_found) {
        *out = (struct import_row){.batch = (uint32_t)db_int(s, 0),
                                   .row = db_int(s, 1),
                                   .cell = (uint32_t)db_int(s, 2),
                                   .entity = (uint32_t)db_int(s, 3),
                                   .before = arena_copy(mem, db_blob(s, 4)),
                                   .after = arena_copy(mem, db_blob(s, 5))};
    }
    db_reset(s);
    return ST_OK;
}

static enum status forget_import_row(struct revert *r, const struct import_row *row,
                                     struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(
        r->store->db,
        "DELETE FROM import_row WHERE import_id = ? AND batch = ? AND row_id = ? AND cell = ?", &s,
        err));
    db_bind_int(s, 1, r->import_id);
    db_bind_int(s, 2, row->batch);
    db_bind_int(s, 3, row->row);
    db_bind_int(s, 4, row->cell);
    return db_run(s, err);
}

static enum status revert_creation(struct revert *r, const struct import_row *row,
                                   const struct local *local, bool *out_done, struct err *err) {
    struct buf bytes SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    size_t rows;
    rows_image_write(local->e, local->values, false, &bytes);
    TRY(buf_status(&bytes, err));
    struct hash hash = hash_sha256(buf_slice(&bytes));
    *out_done = slice_equal(row->after, slice_of(hash.bytes, 8));
    return *out_done ? save_delete(r->store, local->e, local->id, NULL, &rows, err) : ST_OK;
}

static enum status revert_update(struct revert *r, const struct import_row *row,
                                 const struct local *local, struct arena *mem, bool *out_done,
                                 struct err *err) {
    const struct cell *cell = entity_cell(local->e, row->cell);
    struct value *before, *after;
    struct field_edit back[ENTITY_FIELDS_MAX];
    size_t before_count, after_count;
    bool changed;
    *out_done = false;
    if (!cell) return ST_OK;
    TRY(values_read(row->before, mem, &before, &before_count, err));
    TRY(values_read(row->after, mem, &after, &after_count, err));
    if (before_count != cell->count || after_count != cell->count) return ST_OK;
    for (size_t i = 0; i < cell->count; i++) {
        if (!value_equal(local->values[cell->first + i], after[i])) return ST_OK;
        back[i] =
            (struct field_edit){&local->e->fields[cell->first + i], FIELD_EDIT_SET, before[i]};
    }
    *out_done = true;
    return save_edit(r->store, local->e, local->id, back, cell->count, NULL, NULL, &changed, err);
}

static enum status revert_row(struct revert *r, const struct import_row *row, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    const struct entity *e = catalogue_entity_by_tag(r->store->cat, row->entity);
    struct local local = {0};
    bool done = false;
    if (e) TRY(local_read(r->store, e, row->row, &mem, &local, err));
    if (local.found && local.meta.gone == GONE_HERE) {
        if (row->cell == 0)
            TRY(revert_creation(r, row, &local, &done, err));
        else
            TRY(revert_update(r, row, &local, &mem, &done, err));
    }
    r->rows += done;
    r->kept += !done;
    return forget_import_row(r, row, err);
}

/* One batch of reversals: as many rows as fit. *below moves on. */
static enum status revert_some(struct revert *r, struct import_row *below, bool *out_more,
                               struct err *err) {
    *out_more = true;
    for (int i = 0; i < BATCH_ROWS_MAX; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        struct import_row row;
        TRY(next_import_row(r, below, &mem, &row, out_more, err));
        if (!*out_more) return ST_OK;
        enum status status = revert_row(r, &row, err);
        if (status == ST_TOO_LARGE && i > 0) return ST_OK;
        if (status != ST_OK) return status;
        *below = (struct import_row){.batch = row.batch, .row = row.row, .cell = row.cell};
    }
    return ST_OK;
}

/* Rows only looked at leave no batch, but their notes have to go all the same. */
static enum status revert_batch(struct revert *r, struct import_row *below, bool *out_more,
                                struct err *err) {
    uint32_t batch;
    TRY(store_begin(r->store, err));
    enum status status = revert_some(r, below, out_more, err);
    if (status == ST_OK && r->store->laptop->save.batch.change_count == 0) {
        status = db_commit(r->store->db, err);
        store_rollback(r->store);
    } else if (status == ST_OK) {
        return store_commit(r->store, &batch, err);
    }
    if (status != ST_OK) store_rollback(r->store);
    return status;
}

static enum status newest_unsent(struct revert *r, uint32_t below, uint32_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(r->store->db,
                   "SELECT n FROM outbox WHERE import_id = ? AND sent = 0 AND done = 0 AND changes "
                   "> 0 AND n < ?"
                   " ORDER BY n DESC LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, r->import_id);
    db_bind_int(s, 2, below);
    TRY(db_step(s, &row, err));
    *out = row ? (uint32_t)db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

static enum status changes_of(struct revert *r, uint32_t batch, int64_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(r->store->db, "SELECT changes FROM outbox WHERE n = ?", &s, err));
    db_bind_int(s, 1, batch);
    TRY(db_step(s, &row, err));
    *out = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status store_import_revert(struct store *store, int64_t import_id, int64_t *out_rows,
                                int64_t *out_kept, struct err *err) {
    struct revert r = {.store = store, .import_id = import_id};
    struct import_row below = {.batch = UINT32_MAX, .row = ID_MAX, .cell = UINT32_MAX};
    uint32_t batch = UINT32_MAX, undone, fresh;
    bool more = true;
    for (;;) {
        int64_t changes;
        TRY(newest_unsent(&r, batch, &batch, err));
        if (batch == 0) break;
        TRY(changes_of(&r, batch, &changes, err));
        enum status status = store_undo(store, batch, &undone, &fresh, err);
        if (status == ST_CONFLICT) continue; /* row by row then, below */
        if (status != ST_OK) return status;
        r.rows += changes;
    }
    while (more) TRY(revert_batch(&r, &below, &more, err));
    *out_rows = r.rows;
    *out_kept = r.kept;
    return ST_OK;
}
