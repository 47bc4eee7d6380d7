/* Making and migrating the tables of rows. Migration only adds: columns, indexes, cells that were
 * kept aside; views hold nothing and are made anew. All in one transaction, so that a machine that
 * stops in between has the old file.
 */
#include "syncd/store/store_private.h"

#include <assert.h>
#include <string.h>

enum { MOVE_ROWS = 500 }; /* rows between two looks at memory */

static enum status exec_buf(struct db *db, struct buf *sql, struct err *err) {
    TRY(buf_status(sql, err));
    enum status status = db_exec(db, buf_text(sql), err);
    buf_reset(sql);
    return status;
}

/* A column as the engine calls it, without quotes. */
static enum status has_column(struct db *db, const struct entity *e, const struct buf *column,
                              bool *out, struct err *err) {
    struct db_stmt *s = NULL;
    struct buf table SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    buf_printf(&table, "r_%s", e->name);
    TRY(buf_status(&table, err));
    TRY(buf_status(column, err));
    TRY(db_prepare(db, "SELECT 1 FROM pragma_table_info(?) WHERE name = ?", &s, err));
    db_bind_text(s, 1, buf_slice(&table));
    db_bind_text(s, 2, buf_slice(column));
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}

static enum status has_field(struct db *db, const struct entity *e, const struct field *f,
                             bool *out, struct err *err) {
    struct buf column SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    if (field_is_added(f))
        buf_printf(&column, "_%u", f->tag);
    else
        buf_put_text(&column, f->name);
    return has_column(db, e, &column, out, err);
}

static enum status add_columns(struct db *db, const struct entity *e, enum rows_role role,
                               struct buf *sql, struct err *err) {
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        bool has;
        if (!rows_is_column(f, role)) continue;
        TRY(has_field(db, e, f, &has, err));
        if (has) continue;
        buf_put_text(sql, "ALTER TABLE ");
        rows_put_table(sql, e);
        buf_put_text(sql, " ADD COLUMN ");
        rows_put_column(sql, f);
        buf_put_text(sql, rows_holds_text(f) ? " TEXT" : " INTEGER");
        TRY(exec_buf(db, sql, err));
    }
    return ST_OK;
}

/* Files of earlier releases do not have it. */
static enum status add_packed_column(struct db *db, const struct entity *e, enum rows_role role,
                                     struct buf *sql, struct err *err) {
    struct buf column SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    bool has;
    if (role != ROWS_SERVER) return ST_OK;
    buf_put_text(&column, "_added");
    TRY(has_column(db, e, &column, &has, err));
    if (has) return ST_OK;
    buf_put_text(sql, "ALTER TABLE ");
    rows_put_table(sql, e);
    buf_put_text(sql, " ADD COLUMN _added TEXT");
    return exec_buf(db, sql, err);
}

static enum status drop_views(struct db *db, const struct catalogue *cat, struct buf *sql,
                              struct err *err) {
    for (size_t i = 0; i < cat->count; i++) {
        buf_put_text(sql, "DROP VIEW IF EXISTS ");
        rows_put_name(sql, cat->entities[i].name);
        buf_put_text(sql, ";\n");
    }
    return exec_buf(db, sql, err);
}

/* ------------------------------------------------------------------ cells kept aside */

/* Takes the values of a kept cell if the catalogue has come to know it. */
static bool takes_cell(const struct entity *e, const struct record_cell *kept, struct value *values,
                       uint64_t *mask) {
    const struct cell *cell = entity_cell(e, kept->cell_tag);
    if (!cell || cell->tag != kept->cell_tag || kept->value_count > cell->count) return false;
    for (size_t i = 0; i < kept->value_count; i++) {
        const struct field *f = &e->fields[cell->first + i];
        bool fits = kept->values[i].kind == VALUE_NULL ||
                    (kept->values[i].kind == VALUE_TEXT) == rows_holds_text(f);
        if (!fits || !rows_is_stored(f)) return false;
    }
    for (size_t i = 0; i < kept->value_count; i++) values[cell->first + i] = kept->values[i];
    *mask |= UINT64_C(1) << cell->index;
    return true;
}

static enum status move_row(struct db *db, const struct entity *e, enum rows_role role, int64_t id,
                            struct arena *mem, bool *moved, struct err *err) {
    struct value *values;
    struct row_meta meta;
    struct record_cell *cells;
    size_t count;
    uint64_t mask = 0;
    bool found = false;
    TRY(rows_read(db, e, role, id, mem, &values, &meta, &found, err));
    if (!found) return ST_OK;
    TRY(rows_more_read(meta.more, mem, &cells, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct record_cell nothing = {.cell_tag = cells[i].cell_tag};
        if (takes_cell(e, &cells[i], values, &mask))
            TRY(rows_more_put(meta.more, &nothing, mem, &meta.more, err));
    }
    if (mask == 0) return ST_OK;
    *moved = true;
    return rows_update(db, e, role, id, mask, values, &meta, false, NULL, err);
}

static enum status kept_ids(struct db *db, const struct entity *e, int64_t after,
                            int64_t ids[MOVE_ROWS], size_t *out_count, struct err *err) {
    struct db_stmt *s = NULL;
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    bool row;
    buf_put_text(&sql, "SELECT id FROM ");
    rows_put_table(&sql, e);
    buf_printf(&sql, " WHERE id > ? AND _more IS NOT NULL ORDER BY id LIMIT %d", MOVE_ROWS);
    TRY(buf_status(&sql, err));
    TRY(db_prepare(db, buf_text(&sql), &s, err));
    db_bind_int(s, 1, after);
    *out_count = 0;
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        ids[(*out_count)++] = db_int(s, 0);
    }
    db_reset(s);
    return ST_OK;
}

static enum status move_rows(struct db *db, const struct entity *e, enum rows_role role,
                             const int64_t *ids, size_t count, bool *moved, struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    enum status status = ST_OK;
    for (size_t i = 0; i < count && status == ST_OK; i++) {
        status = move_row(db, e, role, ids[i], &mem, moved, err);
        arena_clear(&mem);
    }
    return status;
}

static enum status move_kept_cells(struct db *db, const struct entity *e, enum rows_role role,
                                   bool *moved, struct err *err) {
    int64_t ids[MOVE_ROWS], after = 0;
    size_t count;
    do {
        TRY(kept_ids(db, e, after, ids, &count, err));
        TRY(move_rows(db, e, role, ids, count, moved, err));
        if (count > 0) after = ids[count - 1];
    } while (count == MOVE_ROWS);
    return ST_OK;
}

/* ------------------------------------------------------------------ full text */

/* What decides how a row is indexed: when this changes, the index no longer fits the rows. */
static struct slice search_digest(const struct catalogue *cat, struct hash *hash) {
    *hash = hash_sha256(SLICE("words 1"));
    for (size_t i = 0; i < cat->count; i++) {
        const struct entity *e = &cat->entities[i];
        for (size_t k = 0; k < e->field_count; k++) {
            const struct field *f = &e->fields[k];
            bool title = e->title && strcmp(e->title, f->name) == 0;
            uint32_t fact[4] = {e->tag, f->tag, f->search > 0, title};
            if (f->search > 0 || title)
                *hash =
                    hash_sha256_two(slice_of(hash->bytes, HASH_BYTES), slice_of(fact, sizeof fact));
        }
    }
    return slice_of(hash->bytes, HASH_BYTES);
}

static enum status index_entity(struct db *db, const struct entity *e, struct arena *mem,
                                struct err *err) {
    struct db_stmt *s = NULL;
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct slice title, body;
    struct value *values;
    enum status status = ST_OK;
    bool row = true;
    buf_put_text(&sql, "SELECT id");
    rows_put_columns(&sql, e, ROWS_LAPTOP);
    buf_put_text(&sql, " WHERE _gone IS NULL");
    TRY(buf_status(&sql, err));
    TRY(db_prepare(db, buf_text(&sql), &s, err));
    while (status == ST_OK) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        status = rows_take_values(e, s, 1, false, mem, &values, err);
        if (status == ST_OK) status = rows_text(e, values, mem, &title, &body, err);
        if (status == ST_OK && title.len + body.len > 0)
            status = db_text_add(db, db_int(s, 0), title, body, err);
        arena_clear(mem);
    }
    db_reset(s);
    return status;
}

enum status rows_index_all(struct db *db, const struct catalogue *cat, struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    enum status status = db_text_clear(db, err);
    for (size_t i = 0; i < cat->count && status == ST_OK; i++)
        status = index_entity(db, &cat->entities[i], &mem, err);
    arena_clear(&mem);
    return status;
}

static enum status keep_search(struct db *db, const struct catalogue *cat, enum rows_role role,
                               bool moved, struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    struct slice before = {0};
    struct hash hash;
    struct slice now = search_digest(cat, &hash);
    enum status status = meta_blob(db, "search", &mem, &before, err);
    if (status == ST_OK && (moved || (before.len > 0 && !slice_equal(before, now))) &&
        role == ROWS_LAPTOP)
        status = rows_index_all(db, cat, err);
    if (status == ST_OK) status = meta_blob_set(db, "search", now, err);
    arena_clear(&mem);
    return status;
}

/* ------------------------------------------------------------------ all of it */

static enum status make_entity(struct db *db, const struct entity *e, enum rows_role role,
                               struct buf *sql, bool *moved, struct err *err) {
    rows_put_table_ddl(sql, e, role);
    TRY(exec_buf(db, sql, err));
    TRY(add_packed_column(db, e, role, sql, err));
    TRY(add_columns(db, e, role, sql, err));
    rows_put_index_ddl(sql, e);
    TRY(exec_buf(db, sql, err));
    return move_kept_cells(db, e, role, moved, err);
}

static enum status make_all(struct db *db, const struct catalogue *cat, enum rows_role role,
                            struct err *err) {
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    bool moved = false;
    TRY(db_exec(db, ROWS_COMMON_DDL, err));
    TRY(db_text_create(db, err));
    TRY(drop_views(db, cat, &sql, err));
    for (size_t i = 0; i < cat->count; i++)
        TRY(make_entity(db, &cat->entities[i], role, &sql, &moved, err));
    for (size_t i = 0; i < cat->count; i++) rows_put_view_ddl(&sql, cat, &cat->entities[i], role);
    TRY(exec_buf(db, &sql, err));
    return keep_search(db, cat, role, moved, err);
}

/* Added fields are not in the full text: nothing of that moves. */
static enum status extend_all(struct db *db, const struct catalogue *before,
                              const struct catalogue *cat, enum rows_role role, struct err *err) {
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    bool moved = false;
    TRY(drop_views(db, cat, &sql, err));
    for (size_t i = 0; i < cat->count; i++) {
        const struct entity *e = &cat->entities[i];
        const struct entity *was = catalogue_entity_by_tag(before, e->tag);
        if (was && was->field_count == e->field_count) continue;
        TRY(add_columns(db, e, role, &sql, err));
        TRY(move_kept_cells(db, e, role, &moved, err));
    }
    for (size_t i = 0; i < cat->count; i++) rows_put_view_ddl(&sql, cat, &cat->entities[i], role);
    return exec_buf(db, &sql, err);
}

enum status rows_extend(struct db *db, const struct catalogue *before, const struct catalogue *cat,
                        enum rows_role role, struct err *err) {
    assert(db_in_transaction(db));
    db_forget(db);
    return extend_all(db, before, cat, role, err);
}

enum status rows_schema(struct db *db, const struct catalogue *cat, enum rows_role role,
                        struct err *err) {
    bool own = !db_in_transaction(db);
    db_forget(db);
    if (own) TRY(db_begin(db, true, err));
    enum status status = make_all(db, cat, role, err);
    db_forget(db);
    if (own && status == ST_OK) status = db_commit(db, err);
    if (own && status != ST_OK) db_rollback(db);
    return status;
}
