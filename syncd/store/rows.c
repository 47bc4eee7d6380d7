/* Rows in their tables: reading, writing, and the full text that goes with it.
 *
 * The text of a statement is built once for an entity and a set of cells; after that it is found by
 * entity and mask (db_kept), since a save should cost little more than the engine itself.
 */
#include "syncd/store/store_private.h"

#include <assert.h>
#include <string.h>

enum what {
    WHAT_READ,
    WHAT_GONE,
    WHAT_INSERT,
    WHAT_UPDATE,
    WHAT_DELETE,
    WHAT_KEY,
    WHAT_OWNED,
    WHAT_COUNT
};
enum {
    LAPTOP_HIDDEN = 3,
    SERVER_HIDDEN = 5,
    ADDED_BYTES = 16 * 1024 * 1024,
    ROW_TEXT_CAP = 64 * 1024 * 1024
};

/* A wide row's statement is some 2 KB. Statements of roles are told apart: tests open both in one
 * process. */
typedef void write_sql(struct buf *sql, const struct entity *e, enum rows_role role, uint64_t mask);

static enum status prepare(struct db *db, const struct entity *e, enum rows_role role,
                           enum what what, uint64_t mask, write_sql *write, struct db_stmt **out,
                           struct err *err) {
    uint32_t key = (uint32_t)what + (uint32_t)role * WHAT_COUNT;
    *out = db_kept(db, e, key, mask);
    if (*out) return ST_OK;
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    write(&sql, e, role, mask);
    TRY(buf_status(&sql, err));
    TRY(db_prepare(db, buf_text(&sql), out, err));
    return db_keep(db, e, key, mask, *out, err);
}

static const char *hidden_columns(enum rows_role role) {
    return role == ROWS_LAPTOP ? "_seq, _gone, _more" : "_seq, _whole, _dead, _clock, _more";
}

static int hidden_count(enum rows_role role) {
    return role == ROWS_LAPTOP ? LAPTOP_HIDDEN : SERVER_HIDDEN;
}

/* ------------------------------------------------------------------ reading */

static void write_read(struct buf *sql, const struct entity *e, enum rows_role role,
                       uint64_t mask) {
    (void)mask;
    buf_printf(sql, "SELECT %s", hidden_columns(role));
    rows_put_columns(sql, e, role);
    buf_put_text(sql, " WHERE id = ?");
}

static void write_gone(struct buf *sql, const struct entity *e, enum rows_role role,
                       uint64_t mask) {
    (void)mask;
    buf_put_text(sql, role == ROWS_LAPTOP ? "SELECT _gone FROM " : "SELECT _dead FROM ");
    rows_put_table(sql, e);
    buf_put_text(sql, " WHERE id = ?");
}

enum status rows_gone(struct db *db, const struct entity *e, enum rows_role role, int64_t id,
                      bool *out_found, int64_t *out_gone, struct err *err) {
    struct db_stmt *s = NULL;
    bool row;
    TRY(prepare(db, e, role, WHAT_GONE, 0, write_gone, &s, err));
    db_bind_int(s, 1, id);
    TRY(db_step(s, &row, err));
    *out_found = row;
    *out_gone = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status rows_take_values(const struct entity *e, struct db_stmt *s, int first, bool all,
                             struct arena *mem, struct value **out, struct err *err) {
    struct value *values = ARENA_ARRAY(mem, e->field_count + 1, struct value);
    if (!values) return err_no_memory(err);
    int column = first;
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        if (!all && !rows_is_stored(f)) continue;
        int at = column++;
        if (db_is_null(s, at)) continue;
        values[i] = rows_holds_text(f) ? value_text(db_text(s, at)) : value_int(db_int(s, at));
        if (!value_copy(values[i], mem, &values[i])) return err_no_memory(err);
    }
    *out = values;
    return ST_OK;
}

static enum status take_blob(struct db_stmt *s, int column, struct arena *mem, struct slice *out,
                             struct err *err) {
    struct slice blob = db_blob(s, column);
    *out = (struct slice){0};
    if (blob.len == 0) return ST_OK;
    *out = arena_copy(mem, blob);
    return out->data ? ST_OK : err_no_memory(err);
}

static enum status take_meta(struct db_stmt *s, enum rows_role role, struct arena *mem,
                             struct row_meta *out, struct err *err) {
    *out = (struct row_meta){.seq = db_int(s, 0)};
    if (role == ROWS_LAPTOP) {
        out->gone = db_int(s, 1);
        return take_blob(s, 2, mem, &out->more, err);
    }
    out->whole = db_int(s, 1);
    out->gone = db_int(s, 2);
    TRY(take_blob(s, 3, mem, &out->clock, err));
    return take_blob(s, 4, mem, &out->more, err);
}

static enum status take_row(struct db_stmt *s, const struct entity *e, enum rows_role role,
                            struct arena *mem, struct value **out_values, struct row_meta *out_meta,
                            struct err *err) {
    struct row_meta meta;
    TRY(take_meta(s, role, mem, &meta, err));
    TRY(rows_take_values(e, s, hidden_count(role), false, mem, out_values, err));
    *out_meta = meta;
    return ST_OK;
}

enum status rows_read(struct db *db, const struct entity *e, enum rows_role role, int64_t id,
                      struct arena *mem, struct value **out_values, struct row_meta *out_meta,
                      bool *out_found, struct err *err) {
    struct db_stmt *s = NULL;
    bool row;
    TRY(prepare(db, e, role, WHAT_READ, 0, write_read, &s, err));
    db_bind_int(s, 1, id);
    TRY(db_step(s, &row, err));
    enum status status = row ? take_row(s, e, role, mem, out_values, out_meta, err) : ST_OK;
    db_reset(s);
    if (status == ST_OK) *out_found = row;
    return status;
}

/* ------------------------------------------------------------------ binding */

static void bind_value(struct db_stmt *s, int index, struct value v) {
    if (v.kind == VALUE_INT) db_bind_int(s, index, v.number);
    if (v.kind == VALUE_TEXT) db_bind_text(s, index, v.text);
} /* nothing bound is NULL */

/* The server's packed column: <30>65536:12<30>65540:text<30>; nothing is NULL. No value may hold
 * that character (field_check); what came before its field was known might. */
static void write_added(const struct entity *e, const struct value *values, struct buf *out) {
    for (size_t i = 0; i < e->field_count; i++) {
        const struct value *v = &values[i];
        if (!field_is_added(&e->fields[i]) || v->kind == VALUE_NULL) continue;
        buf_printf(out, "%s%u:", out->len > 0 ? "" : "\x1e", e->fields[i].tag);
        if (v->kind == VALUE_INT) buf_printf(out, "%lld", (long long)v->number);
        for (size_t k = 0; v->kind == VALUE_TEXT && k < v->text.len; k++)
            buf_put_byte(out, v->text.data[k] == 0x1e ? ' ' : v->text.data[k]);
        buf_put_byte(out, 0x1e);
    }
}

static enum status bind_added(struct db_stmt *s, int index, const struct entity *e,
                              const struct value *values, struct buf *room, struct err *err) {
    write_added(e, values, room);
    TRY(buf_status(room, err));
    if (room->len > 0) db_bind_text(s, index, buf_slice(room));
    return ST_OK;
}

static bool has_added(const struct entity *e, enum rows_role role) {
    return role == ROWS_SERVER && e->field_count > 0 &&
           field_is_added(&e->fields[e->field_count - 1]);
}

static void bind_int_or_null(struct db_stmt *s, int index, int64_t v) {
    if (v != 0) db_bind_int(s, index, v);
}

static void bind_blob_or_null(struct db_stmt *s, int index, struct slice v) {
    if (v.len > 0) db_bind_blob(s, index, v);
}

static void bind_meta(struct db_stmt *s, int first, enum rows_role role,
                      const struct row_meta *meta) {
    db_bind_int(s, first, meta->seq);
    if (role == ROWS_LAPTOP) {
        bind_int_or_null(s, first + 1, meta->gone);
        bind_blob_or_null(s, first + 2, meta->more);
        return;
    }
    bind_int_or_null(s, first + 1, meta->whole);
    bind_int_or_null(s, first + 2, meta->gone);
    bind_blob_or_null(s, first + 3, meta->clock);
    bind_blob_or_null(s, first + 4, meta->more);
}

/* ------------------------------------------------------------------ full text */

static bool is_searched(const struct entity *e, const struct field *f, bool *out_title) {
    *out_title = e->title && strcmp(e->title, f->name) == 0;
    return rows_is_stored(f) && rows_holds_text(f) && (*out_title || f->search > 0);
}

enum status rows_text(const struct entity *e, const struct value *values, struct arena *mem,
                      struct slice *out_title, struct slice *out_body, struct err *err) {
    struct slice title = {0}, only = {0};
    struct buf body SCOPED(buf_free) = buf_new(BUF_MAX_MESSAGE);
    size_t parts = 0;
    for (size_t i = 0; i < e->field_count; i++) {
        bool is_title;
        if (values[i].kind != VALUE_TEXT || !is_searched(e, &e->fields[i], &is_title)) continue;
        if (is_title) {
            title = values[i].text;
            continue;
        }
        if (parts++ == 0) {
            only = values[i].text;
            continue;
        }
        if (parts == 2) buf_put_slice(&body, only);
        buf_put_byte(&body, '\n');
        buf_put_slice(&body, values[i].text);
    }
    TRY(buf_status(&body, err));
    if (parts > 1) only = arena_copy(mem, buf_slice(&body));
    if (parts > 1 && !only.data) return err_no_memory(err);
    *out_title = title;
    *out_body = only;
    return ST_OK;
}

static enum status change_text(struct db *db, const struct entity *e, int64_t id,
                               const struct value *before, const struct value *after,
                               struct arena *mem, struct err *err) {
    struct slice title[2] = {{0}}, body[2] = {{0}};
    if (before) TRY(rows_text(e, before, mem, &title[0], &body[0], err));
    if (after) TRY(rows_text(e, after, mem, &title[1], &body[1], err));
    if (slice_equal(title[0], title[1]) && slice_equal(body[0], body[1])) return ST_OK;
    if (title[0].len + body[0].len > 0) TRY(db_text_remove(db, id, title[0], body[0], err));
    if (title[1].len + body[1].len > 0) TRY(db_text_add(db, id, title[1], body[1], err));
    return ST_OK;
}

static enum status put_text(struct db *db, const struct entity *e, int64_t id,
                            const struct value *before, const struct value *after,
                            struct err *err) {
    struct arena mem = arena_new(ROW_TEXT_CAP);
    enum status status = change_text(db, e, id, before, after, &mem, err);
    arena_clear(&mem);
    return status;
}

/* ------------------------------------------------------------------ writing */

static void write_insert(struct buf *sql, const struct entity *e, enum rows_role role,
                         uint64_t mask) {
    int parameters = 1 + hidden_count(role);
    (void)mask;
    buf_put_text(sql, "INSERT INTO ");
    rows_put_table(sql, e);
    buf_printf(sql, "(id, %s", hidden_columns(role));
    for (size_t i = 0; i < e->field_count; i++) {
        if (!rows_is_column(&e->fields[i], role)) continue;
        buf_put_text(sql, ", ");
        rows_put_column(sql, &e->fields[i]);
        parameters++;
    }
    if (has_added(e, role)) {
        buf_put_text(sql, ", _added");
        parameters++;
    }
    buf_put_text(sql, ") VALUES(?");
    for (int i = 1; i < parameters; i++) buf_put_text(sql, ", ?");
    buf_put_byte(sql, ')');
}

enum status rows_insert(struct db *db, const struct entity *e, enum rows_role role, int64_t id,
                        const struct value *values, const struct row_meta *meta, bool search,
                        struct err *err) {
    struct db_stmt *s = NULL;
    TRY(prepare(db, e, role, WHAT_INSERT, 0, write_insert, &s, err));
    db_bind_int(s, 1, id);
    bind_meta(s, 2, role, meta);
    int index = 2 + hidden_count(role);
    SCOPED(buf_free) struct buf added = buf_new(ADDED_BYTES);
    for (size_t i = 0; i < e->field_count; i++)
        if (rows_is_column(&e->fields[i], role)) bind_value(s, index++, values[i]);
    if (has_added(e, role)) TRY(bind_added(s, index, e, values, &added, err));
    TRY(db_run(s, err));
    return search ? put_text(db, e, id, NULL, values, err) : ST_OK;
}

static bool is_in_mask(const struct entity *e, uint64_t mask, size_t cell) {
    return mask >> e->cells[cell].index & 1;
}

static bool touches_added(const struct entity *e, uint64_t mask, enum rows_role role) {
    for (size_t c = e->cell_count; c-- > 0 && has_added(e, role);) {
        if (e->cells[c].tag < FIELD_ADDED_FIRST) return false;
        if (is_in_mask(e, mask, c)) return true;
    }
    return false;
}

static void write_update(struct buf *sql, const struct entity *e, enum rows_role role,
                         uint64_t mask) {
    buf_put_text(sql, "UPDATE ");
    rows_put_table(sql, e);
    buf_put_text(sql, role == ROWS_LAPTOP
                          ? " SET _seq = ?, _gone = ?, _more = ?"
                          : " SET _seq = ?, _whole = ?, _dead = ?, _clock = ?, _more = ?");
    for (size_t c = 0; c < e->cell_count; c++) {
        if (!is_in_mask(e, mask, c)) continue;
        for (size_t i = e->cells[c].first; i < e->cells[c].first + e->cells[c].count; i++) {
            if (!rows_is_column(&e->fields[i], role)) continue;
            buf_put_text(sql, ", ");
            rows_put_column(sql, &e->fields[i]);
            buf_put_text(sql, " = ?");
        }
    }
    if (touches_added(e, mask, role)) buf_put_text(sql, ", _added = ?");
    buf_put_text(sql, " WHERE id = ?");
}

static bool touches_text(const struct entity *e, uint64_t mask) {
    bool is_title;
    for (size_t c = 0; c < e->cell_count; c++)
        for (size_t i = 0; is_in_mask(e, mask, c) && i < e->cells[c].count; i++)
            if (is_searched(e, &e->fields[e->cells[c].first + i], &is_title)) return true;
    return false;
}

enum status rows_update(struct db *db, const struct entity *e, enum rows_role role, int64_t id,
                        uint64_t cell_mask, const struct value *values, const struct row_meta *meta,
                        bool search, const struct value *old, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(prepare(db, e, role, WHAT_UPDATE, cell_mask, write_update, &s, err));
    bind_meta(s, 1, role, meta);
    int index = 1 + hidden_count(role);
    for (size_t c = 0; c < e->cell_count; c++) {
        if (!is_in_mask(e, cell_mask, c)) continue;
        for (size_t i = e->cells[c].first; i < e->cells[c].first + e->cells[c].count; i++)
            if (rows_is_column(&e->fields[i], role)) bind_value(s, index++, values[i]);
    }
    SCOPED(buf_free) struct buf added = buf_new(ADDED_BYTES);
    if (touches_added(e, cell_mask, role)) TRY(bind_added(s, index++, e, values, &added, err));
    db_bind_int(s, index, id);
    TRY(db_run(s, err));
    if (!search || !touches_text(e, cell_mask)) return ST_OK;
    assert(old);
    return put_text(db, e, id, old, values, err);
}

static void write_delete(struct buf *sql, const struct entity *e, enum rows_role role,
                         uint64_t mask) {
    (void)role, (void)mask;
    buf_put_text(sql, "DELETE FROM ");
    rows_put_table(sql, e);
    buf_put_text(sql, " WHERE id = ?");
}

enum status rows_delete(struct db *db, const struct entity *e, int64_t id, bool search,
                        const struct value *old, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(prepare(db, e, ROWS_LAPTOP, WHAT_DELETE, 0, write_delete, &s, err));
    db_bind_int(s, 1, id);
    TRY(db_run(s, err));
    if (!search) return ST_OK;
    assert(old);
    return put_text(db, e, id, old, NULL, err);
}

/* ------------------------------------------------------------------ finding */

static size_t key_count(const struct entity *e) {
    size_t count = 0;
    while (count < ENTITY_KEY_MAX && e->key[count]) count++;
    return count;
}

/* IS, since a part of a key may be missing. At the server a living row goes before a dead one. */
static void write_key(struct buf *sql, const struct entity *e, enum rows_role role, uint64_t mask) {
    (void)mask;
    buf_put_text(sql, "SELECT id FROM ");
    rows_put_table(sql, e);
    buf_put_text(sql, " WHERE ");
    for (size_t i = 0; i < key_count(e); i++) {
        if (i > 0) buf_put_text(sql, " AND ");
        rows_put_name(sql, e->key[i]);
        buf_put_text(sql, " IS ?");
    }
    buf_put_text(sql, role == ROWS_LAPTOP ? " AND _gone IS NULL ORDER BY id LIMIT 1"
                                          : " ORDER BY _dead IS NOT NULL, id LIMIT 1");
}

/* A key of several parts says something once its first and one more are given. */
static bool has_key(const struct entity *e, const struct value *values) {
    size_t count = key_count(e), given = 0;
    for (size_t i = 0; i < count; i++) {
        const struct value *v =
            &values[entity_field_index(e, entity_field(e, slice_from(e->key[i])))];
        if (v->kind == VALUE_NULL && i == 0) return false;
        if (v->kind != VALUE_NULL) given++;
    }
    return given >= (count > 1 ? 2 : 1);
}

enum status rows_by_key(struct db *db, const struct entity *e, enum rows_role role,
                        const struct value *values, int64_t *out_id, struct err *err) {
    struct db_stmt *s = NULL;
    bool row;
    if (!has_key(e, values)) {
        *out_id = 0;
        return ST_OK;
    }
    TRY(prepare(db, e, role, WHAT_KEY, 0, write_key, &s, err));
    for (size_t i = 0; i < key_count(e); i++)
        bind_value(s, (int)i + 1,
                   values[entity_field_index(e, entity_field(e, slice_from(e->key[i])))]);
    TRY(db_step(s, &row, err));
    *out_id = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

static void write_owned(struct buf *sql, const struct entity *e, enum rows_role role,
                        uint64_t mask) {
    (void)mask;
    buf_put_text(sql, "SELECT id FROM ");
    rows_put_table(sql, e);
    buf_put_text(sql, " WHERE ");
    rows_put_name(sql, e->fields[e->owner_field].name);
    buf_printf(sql, " = ? AND %s ORDER BY id", rows_living_sql(role));
}

static enum status collect_ids(struct db_stmt *s, struct arena *mem, int64_t **out_ids,
                               size_t *out_count, struct err *err) {
    size_t count = 0, room = 16;
    int64_t *ids = ARENA_ARRAY(mem, room, int64_t);
    bool row;
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row || !ids) break;
        if (count == room) {
            int64_t *more = ARENA_ARRAY(mem, room * 2, int64_t);
            if (more) memcpy(more, ids, count * sizeof *ids);
            ids = more;
            room *= 2;
        }
        if (ids) ids[count++] = db_int(s, 0);
    }
    if (!ids) return err_no_memory(err);
    *out_ids = ids;
    *out_count = count;
    return ST_OK;
}

enum status rows_owned(struct db *db, const struct entity *e, enum rows_role role, int64_t owner,
                       struct arena *mem, int64_t **out_ids, size_t *out_count, struct err *err) {
    struct db_stmt *s = NULL;
    if (e->owner_field < 0) {
        *out_ids = NULL;
        *out_count = 0;
        return ST_OK;
    }
    TRY(prepare(db, e, role, WHAT_OWNED, 0, write_owned, &s, err));
    db_bind_int(s, 1, owner);
    enum status status = collect_ids(s, mem, out_ids, out_count, err);
    db_reset(s);
    return status;
}
