/* The small tables about single cells: pending, ahead, what stood before, and bases of undone
 * edits. */
#include "syncd/store/laptop.h"

#include <string.h>

/* One statement with up to four numbers, which answers with a row or not. The caller resets. */
static enum status ask(struct db *db, const char *sql, const int64_t *numbers, size_t count,
                       struct db_stmt **out, bool *out_row, struct err *err) {
    TRY(db_prepare(db, sql, out, err));
    for (size_t i = 0; i < count; i++) db_bind_int(*out, (int)i + 1, numbers[i]);
    return db_step(*out, out_row, err);
}

static enum status run(struct db *db, const char *sql, const int64_t *numbers, size_t count,
                       struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(db, sql, &s, err));
    for (size_t i = 0; i < count; i++) db_bind_int(s, (int)i + 1, numbers[i]);
    return db_run(s, err);
}
#define NUMBERS(...)                                                                               \
    ((const int64_t[]){__VA_ARGS__}), (sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* Values of a column: NULL when the column is. */
static enum status take_values(struct db_stmt *s, int column, struct arena *mem, struct value **out,
                               size_t *out_count, struct err *err) {
    *out = NULL;
    *out_count = 0;
    if (db_is_null(s, column)) return ST_OK;
    struct slice copy = arena_copy(mem, db_blob(s, column));
    if (!copy.data) return err_no_memory(err);
    return values_read(copy, mem, out, out_count, err);
}

/* ------------------------------------------------------------------ pending */

enum status pending_get(struct db *db, int64_t row, uint32_t cell, struct arena *mem,
                        struct pending *out, struct err *err) {
    struct db_stmt *s;
    bool found;
    struct pending p = {.seq = -1};
    TRY(ask(db, "SELECT base_seq, own, seq, vals FROM pending WHERE row_id = ? AND cell = ?",
            NUMBERS(row, cell), &s, &found, err));
    enum status status = ST_OK;
    if (found) {
        p.found = true;
        p.base_seq = db_int(s, 0);
        p.own = (uint32_t)db_int(s, 1);
        p.seq = db_int(s, 2);
        if (mem) status = take_values(s, 3, mem, &p.values, &p.value_count, err);
    }
    db_reset(s);
    if (status == ST_OK) *out = p;
    return status;
}

enum status pending_put(struct db *db, uint32_t entity, int64_t row, uint32_t cell,
                        const struct pending *p, struct err *err) {
    struct db_stmt *s;
    struct buf vals SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    TRY(db_prepare(
        db,
        "INSERT INTO pending(row_id, cell, entity, base_seq, own, seq, vals) VALUES (?,?,?,?,?,?,?)"
        " ON CONFLICT(row_id, cell) DO UPDATE SET base_seq = excluded.base_seq, own = excluded.own,"
        " seq = excluded.seq, vals = excluded.vals",
        &s, err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, cell);
    db_bind_int(s, 3, entity);
    db_bind_int(s, 4, p->base_seq);
    db_bind_int(s, 5, p->own);
    db_bind_int(s, 6, p->seq);
    if (p->values) {
        values_write(p->values, p->value_count, &vals);
        TRY(buf_status(&vals, err));
        db_bind_blob(s, 7, buf_slice(&vals));
    } else {
        db_bind_null(s, 7);
    }
    return db_run(s, err);
}

enum status pending_note(struct db *db, uint32_t entity, int64_t row, uint32_t cell,
                         struct pending *p, const struct value *values, size_t count, int64_t seq,
                         struct err *err) {
    if (!p->found || seq <= p->seq) return ST_OK;
    p->values = (struct value *)values;
    p->value_count = count;
    p->seq = seq;
    return pending_put(db, entity, row, cell, p, err);
}

enum status pending_drop(struct db *db, int64_t row, uint32_t cell, struct err *err) {
    return run(db, "DELETE FROM pending WHERE row_id = ? AND cell = ?", NUMBERS(row, cell), err);
}

enum status pending_any(struct db *db, int64_t row, bool *out, struct err *err) {
    struct db_stmt *s;
    TRY(ask(db, "SELECT 1 FROM pending WHERE row_id = ? LIMIT 1", NUMBERS(row), &s, out, err));
    db_reset(s);
    return ST_OK;
}

/* ------------------------------------------------------------------ ahead */

enum status ahead_get(struct db *db, int64_t row, uint32_t cell, int64_t *out, struct err *err) {
    struct db_stmt *s;
    bool found;
    TRY(ask(db, "SELECT seq FROM ahead WHERE row_id = ? AND cell = ?", NUMBERS(row, cell), &s,
            &found, err));
    *out = found ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status ahead_put(struct db *db, int64_t row, uint32_t cell, int64_t seq, struct err *err) {
    return run(db,
               "INSERT INTO ahead(row_id, cell, seq) VALUES (?,?,?)"
               " ON CONFLICT(row_id, cell) DO UPDATE SET seq = excluded.seq",
               NUMBERS(row, cell, seq), err);
}

enum status ahead_trim(struct db *db, int64_t row, int64_t seq, struct err *err) {
    return run(db, "DELETE FROM ahead WHERE row_id = ? AND seq <= ?", NUMBERS(row, seq), err);
}

/* ------------------------------------------------------------------ what stood before */

enum status before_put(struct db *db, uint32_t batch, int64_t row, uint32_t cell,
                       const struct value *values, size_t count, struct err *err) {
    struct db_stmt *s;
    struct buf vals SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    values_write(values, count, &vals);
    TRY(buf_status(&vals, err));
    TRY(db_prepare(db,
                   "INSERT OR IGNORE INTO before_edit(batch, row_id, cell, vals) VALUES (?,?,?,?)",
                   &s, err));
    db_bind_int(s, 1, batch);
    db_bind_int(s, 2, row);
    db_bind_int(s, 3, cell);
    db_bind_blob(s, 4, buf_slice(&vals));
    return db_run(s, err);
}

enum status before_get(struct db *db, uint32_t batch, int64_t row, uint32_t cell, struct arena *mem,
                       struct value **out, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    bool found;
    TRY(ask(db, "SELECT vals FROM before_edit WHERE batch = ? AND row_id = ? AND cell = ?",
            NUMBERS(batch, row, cell), &s, &found, err));
    enum status status = ST_OK;
    *out = NULL;
    *out_count = 0;
    if (found) status = take_values(s, 0, mem, out, out_count, err);
    db_reset(s);
    return status;
}

enum status before_first(struct db *db, int64_t row, uint32_t cell, struct arena *mem,
                         struct value **out, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    bool found;
    TRY(ask(db, "SELECT vals FROM before_edit WHERE row_id = ? AND cell = ? ORDER BY batch LIMIT 1",
            NUMBERS(row, cell), &s, &found, err));
    enum status status = ST_OK;
    *out = NULL;
    *out_count = 0;
    if (found) status = take_values(s, 0, mem, out, out_count, err);
    db_reset(s);
    return status;
}

enum status before_drop(struct db *db, uint32_t batch, int64_t row, uint32_t cell,
                        struct err *err) {
    if (row == 0) return run(db, "DELETE FROM before_edit WHERE batch = ?", NUMBERS(batch), err);
    return run(db, "DELETE FROM before_edit WHERE batch = ? AND row_id = ? AND cell = ?",
               NUMBERS(batch, row, cell), err);
}

/* ------------------------------------------------------------------ undone edits */

enum status emptied_put(struct db *db, uint32_t batch, int64_t row, uint32_t cell, struct base base,
                        struct err *err) {
    TRY(run(db, "DELETE FROM emptied WHERE batch < ?", NUMBERS((int64_t)batch - EMPTIED_KEPT),
            err));
    return run(db,
               "INSERT OR REPLACE INTO emptied(batch, row_id, cell, base_seq, base_own) VALUES "
               "(?,?,?,?,?)",
               NUMBERS(batch, row, cell, base.seq, base.own), err);
}

/* Each step leads to an older batch, so that this ends. */
enum status emptied_resolve(struct db *db, int64_t row, uint32_t cell, struct base *base,
                            struct err *err) {
    while (base->own > 0) {
        struct db_stmt *s;
        bool found;
        uint32_t own = base->own;
        TRY(ask(
            db,
            "SELECT base_seq, base_own FROM emptied WHERE batch = ? AND row_id = ? AND cell = ?",
            NUMBERS(own, row, cell), &s, &found, err));
        if (found) *base = (struct base){db_int(s, 0), (uint32_t)db_int(s, 1)};
        db_reset(s);
        if (!found || base->own >= own) break;
    }
    return ST_OK;
}

enum status cell_base(struct db *db, const struct local *local, uint32_t cell, struct base *out,
                      struct err *err) {
    struct pending p;
    int64_t seq = local->meta.seq > 0 ? local->meta.seq : 0, ahead = 0;
    uint32_t own = local->meta.seq < 0 ? (uint32_t)-local->meta.seq : 0;
    TRY(pending_get(db, local->id, cell, NULL, &p, err));
    if (!p.found) TRY(ahead_get(db, local->id, cell, &ahead, err));
    if (p.own > own) own = p.own;
    *out = (struct base){p.found ? p.base_seq : ahead > seq ? ahead : seq, own};
    return ST_OK;
}
