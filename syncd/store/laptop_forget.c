/* What left goes with its bytes. The row and what was kept about it go at once; behind that, in
 * steps that hold the lock a few milliseconds each, what imports noted of it, its words in the
 * index for full text, and the engine's log. The file's setting secure_delete and db_erase.c do the
 * rest.
 *
 * The fact "forget" of the file says what is still to be done, so that a crash delays it at most.
 */
#include "syncd/store/laptop.h"

#include "protocol/model/home.h"

#include <string.h>

/* ------------------------------------------------------------------ one row */

enum to_do { TO_DO_NOTHING, TO_DO_SWEEP, TO_DO_MERGE, TO_DO_CHECKPOINT };

static enum status say_to_do(struct store *store, enum to_do what, struct err *err) {
    return meta_int_set(store->db, "forget", what, err);
}

static enum status run_for(struct store *store, const char *sql, int64_t row, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, sql, &s, err));
    db_bind_int(s, 1, row);
    return db_run(s, err);
}

static enum status has_any(struct store *store, const char *sql, int64_t row, bool *out,
                           struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db, sql, &s, err));
    db_bind_int(s, 1, row);
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}

enum status forget_begin(struct store *store, struct err *err) {
    int64_t to_do;
    TRY(meta_int(store->db, "forget", &to_do, err));
    return to_do == TO_DO_SWEEP ? ST_OK : say_to_do(store, TO_DO_SWEEP, err);
}

/* The row by its own id, and by those of rows that became one with it. */
#define NAMES_IT "(row_id = ?1 OR row_id IN (SELECT from_id FROM alias WHERE to_id = ?1))"

/* What stands in quarantine is the person's until it is closed there. */
static enum status forget_traces(struct store *store, int64_t row, bool here, struct err *err) {
    static const char any_held[] = "SELECT 1 FROM held WHERE " NAMES_IT " LIMIT 1";
    bool open;
    TRY(run_for(store, "DELETE FROM ledger WHERE " NAMES_IT, row, err));
    TRY(past_forget(store, row, err));
    TRY(has_any(store, any_held, row, &open, err));
    if (open) {
        TRY(run_for(store, "DELETE FROM held WHERE " NAMES_IT " AND state <> 0", row, err));
        TRY(has_any(store, any_held, row, &open, err));
    }
    TRY(run_for(store,
                here || open ? "INSERT OR IGNORE INTO left_row(row_id) VALUES (?)"
                             : "DELETE FROM left_row WHERE row_id = ?",
                row, err));
    return forget_begin(store, err);
}

static bool inherits_from(const struct entity *e, const struct entity *owner) {
    return homes_inherit(e) && e->owner_field >= 0 &&
           strcmp(e->fields[e->owner_field].refers_to, owner->name) == 0;
}

/* Rows that are seen wherever their owner is go with it. One that was made here and has no receipt
 * stays. */
static enum status forget_owned(struct store *store, const struct local *owner,
                                struct apply_counts *counts, struct err *err) {
    for (size_t i = 0; i < store->cat->count; i++) {
        struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
        const struct entity *e = &store->cat->entities[i];
        int64_t *ids;
        size_t count;
        if (!inherits_from(e, owner->e)) continue;
        TRY(rows_owned(store->db, e, ROWS_LAPTOP, owner->id, &mem, &ids, &count, err));
        for (size_t k = 0; k < count; k++) {
            struct arena scratch SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
            struct local local;
            TRY(local_read(store, e, ids[k], &scratch, &local, err));
            if (local.found && local.meta.seq >= 0) TRY(forget_row(store, &local, counts, err));
        }
    }
    return ST_OK;
}

enum status forget_row(struct store *store, struct local *local, struct apply_counts *counts,
                       struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    bool gone;
    TRY(forget_owned(store, local, counts, err));
    if (strcmp(local->e->name, "account") == 0) moves_left(store, local->id);
    store->laptop->moves.rows_left++;
    counts->rows_gone++;
    TRY(local_doom(store, local, &mem, &gone, err));
    return forget_traces(store, local->id, !gone, err);
}

enum status forget_swept(struct store *store, int64_t row, struct err *err) {
    bool left;
    TRY(has_any(store, "SELECT 1 FROM left_row WHERE row_id = ?", row, &left, err));
    return left ? forget_traces(store, row, false, err) : ST_OK;
}

enum status forget_not(struct store *store, int64_t row, struct err *err) {
    return run_for(store, "DELETE FROM left_row WHERE row_id = ?", row, err);
}

/* ------------------------------------------------------------------ what quarantine closes */

static enum status next_left(struct store *store, uint32_t batch, uint32_t change, int64_t *out_row,
                             bool *out_found, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db,
                   "SELECT l.row_id FROM held h JOIN left_row l ON l.row_id ="
                   " coalesce((SELECT to_id FROM alias WHERE from_id = h.row_id), h.row_id)"
                   " WHERE h.batch = ? AND h.change = ? AND h.state <> 0 LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, batch);
    db_bind_int(s, 2, change);
    TRY(db_step(s, out_found, err));
    if (*out_found) *out_row = db_int(s, 0);
    db_reset(s);
    return ST_OK;
}

enum status forget_held(struct store *store, uint32_t batch, uint32_t change, struct err *err) {
    const struct entity *e;
    int64_t row, final;
    bool found;
    TRY(next_left(store, batch, change, &row, &found, err));
    if (!found) return ST_OK;
    TRY(store_locate(store, row, &e, &final, err));
    return e ? ST_OK : forget_traces(store, row, false, err);
}

/* ------------------------------------------------------------------ behind it */

static enum status next_import(struct store *store, struct forget_pass *pass, bool *out_found,
                               struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(store->db,
                   "SELECT import_id, batch FROM import_row WHERE (import_id, batch) > (?,?)"
                   " ORDER BY import_id, batch LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, pass->import_id);
    db_bind_int(s, 2, pass->batch);
    TRY(db_step(s, out_found, err));
    if (*out_found) {
        pass->import_id = db_int(s, 0);
        pass->batch = db_int(s, 1);
    }
    db_reset(s);
    return ST_OK;
}

/* What an import noted of rows that are no longer here is of no use: it cannot be taken back. */
static enum status sweep_import(struct store *store, const struct forget_pass *pass,
                                struct err *err) {
    for (size_t i = 0; i < store->cat->count; i++) {
        const struct entity *e = &store->cat->entities[i];
        struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
        struct db_stmt *s;
        buf_put_text(&sql, "DELETE FROM import_row WHERE import_id = ? AND batch = ? AND entity = ?"
                           " AND row_id NOT IN (SELECT id FROM ");
        rows_put_table(&sql, e);
        buf_put_text(&sql, ")");
        TRY(buf_status(&sql, err));
        TRY(db_prepare(store->db, buf_text(&sql), &s, err));
        db_bind_int(s, 1, pass->import_id);
        db_bind_int(s, 2, pass->batch);
        db_bind_int(s, 3, e->tag);
        TRY(db_run(s, err));
    }
    return ST_OK;
}

/* Of rows that are not here, also by the id of what they became: deleted before their home was
 * withdrawn, or one with a row that this laptop does not see. Nobody can say of them in which home
 * they would be. */
static enum status sweep_absent(struct store *store, const struct entity *e, const char *table,
                                const char *also, struct err *err) {
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct db_stmt *s;
    buf_printf(&sql,
               "DELETE FROM %s WHERE entity = ?%s AND coalesce((SELECT to_id FROM alias"
               " WHERE from_id = row_id), row_id) NOT IN (SELECT id FROM ",
               table, also);
    rows_put_table(&sql, e);
    buf_put_text(&sql, ")");
    TRY(buf_status(&sql, err));
    TRY(db_prepare(store->db, buf_text(&sql), &s, err));
    db_bind_int(s, 1, e->tag);
    return db_run(s, err);
}

static enum status sweep_ledger(struct store *store, struct err *err) {
    for (size_t i = 0; i < store->cat->count; i++) {
        const struct entity *e = &store->cat->entities[i];
        TRY(sweep_absent(store, e, "ledger", "", err));
        TRY(sweep_absent(store, e, "held", " AND state <> 0", err));
    }
    return ST_OK;
}

static enum status sweep_step(struct store *store, struct forget_pass *pass, struct err *err) {
    bool found, done;
    TRY(next_import(store, pass, &found, err));
    if (found) return sweep_import(store, pass, err);
    TRY(sweep_ledger(store, err));
    TRY(db_text_compact(store->db, true, &done, err));
    return say_to_do(store, TO_DO_MERGE, err);
}

static enum status merge_step(struct store *store, struct err *err) {
    bool done;
    TRY(db_text_compact(store->db, false, &done, err));
    return done ? say_to_do(store, TO_DO_CHECKPOINT, err) : ST_OK;
}

enum status forget_is_due(struct store *store, bool *out, struct err *err) {
    int64_t to_do;
    TRY(meta_int(store->db, "forget", &to_do, err));
    *out = to_do != TO_DO_NOTHING;
    return ST_OK;
}

enum status forget_step(struct store *store, struct forget_pass *pass, struct err *err) {
    int64_t to_do;
    TRY(meta_int(store->db, "forget", &to_do, err));
    pass->begun = true;
    if (to_do == TO_DO_SWEEP) return sweep_step(store, pass, err);
    if (to_do == TO_DO_MERGE) return merge_step(store, err);
    pass->done = true;
    return ST_OK;
}

enum status forget_end(struct store *store, struct err *err) {
    int64_t to_do;
    bool done;
    TRY(meta_int(store->db, "forget", &to_do, err));
    if (to_do != TO_DO_CHECKPOINT) return ST_OK;
    TRY(db_checkpoint_all(store->db, &done, err));
    return done ? say_to_do(store, TO_DO_NOTHING, err) : ST_OK;
}
