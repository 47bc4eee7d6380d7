/* Reading one row for a person: with what is derived, by whatever the person calls it. */
#include "syncd/store/store_private.h"

#include <assert.h>
#include <string.h>

enum { CANDIDATES_SHOWN = 5, TITLE_HOPS_MAX = 4 };

void store_put_columns(const struct store *store, const struct entity *e, struct buf *sql) {
    buf_put_text(sql,
                 store->role == ROWS_LAPTOP ? "r.id, r._seq, r._gone" : "r.id, r._seq, r._dead");
    for (size_t i = 0; i < e->field_count; i++) {
        buf_put_text(sql, ", ");
        rows_put_value(sql, store->cat, store->role, &e->fields[i]);
    }
}

enum status store_take_row(struct store *store, const struct entity *e, struct db_stmt *s,
                           struct arena *mem, struct row *out, struct err *err) {
    struct row row = {
        .entity = e, .id = db_int(s, 0), .seq = db_int(s, 1), .gone = !db_is_null(s, 2)};
    if (row.seq < 0) {
        row.seq = 0;
        row.pending = true;
    }
    TRY(rows_take_values(e, s, 3, true, mem, &row.values, err));
    if (store->kind == STORE_LAPTOP && !row.pending)
        TRY(laptop_is_pending(store, e, row.id, &row.pending, err));
    *out = row;
    return ST_OK;
}

static enum status prepare_row(struct store *store, const struct entity *e, struct db_stmt **out,
                               struct err *err) {
    enum { WHAT_SHOWN = 100 }; /* apart from the statements of rows.c */
    *out = db_kept(store->db, e, WHAT_SHOWN, 0);
    if (*out) return ST_OK;
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    buf_put_text(&sql, "SELECT ");
    store_put_columns(store, e, &sql);
    buf_put_text(&sql, " FROM ");
    rows_put_table(&sql, e);
    buf_put_text(&sql, " r WHERE r.id = ?");
    TRY(buf_status(&sql, err));
    TRY(db_prepare(store->db, buf_text(&sql), out, err));
    return db_keep(store->db, e, WHAT_SHOWN, 0, *out, err);
}

static enum status no_such_row(const struct entity *e, int64_t id, struct err *err) {
    char text[ID_TEXT_BYTES] = "?";
    if (id_is_valid(id)) id_format(id, text);
    return err_set(err, ST_NOT_FOUND, "%s%.0s %s is not in this book", "本地没有%.0s%s %s", e->name,
                   e->label[LANG_ZH], text);
}

/* Rows hidden by an own delete are not there for a person; those on their way out are, marked. */
static enum status get_row(struct store *store, const struct entity *e, int64_t id,
                           struct arena *mem, struct row *out, struct err *err) {
    struct db_stmt *s = NULL;
    bool row;
    TRY(prepare_row(store, e, &s, err));
    db_bind_int(s, 1, id);
    TRY(db_step(s, &row, err));
    bool hidden = row && store->role == ROWS_LAPTOP && db_int(s, 2) == 1;
    enum status status =
        row && !hidden ? store_take_row(store, e, s, mem, out, err) : no_such_row(e, id, err);
    db_reset(s);
    return status;
}

enum status store_get(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                      struct row *out, struct err *err) {
    int64_t final;
    TRY(alias_resolve(store->db, id, &final, err));
    return get_row(store, e, final, mem, out, err);
}

static enum status prepare_locate(struct store *store, struct db_stmt **out, struct err *err) {
    enum { WHAT_LOCATE = 101 };
    *out = db_kept(store->db, store->cat, WHAT_LOCATE, 0);
    if (*out) return ST_OK;
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    for (size_t i = 0; i < store->cat->count; i++) {
        buf_printf(&sql, "%sSELECT %u FROM ", i > 0 ? " UNION ALL " : "",
                   store->cat->entities[i].tag);
        rows_put_table(&sql, &store->cat->entities[i]);
        buf_put_text(&sql, " WHERE id = ?1");
    }
    buf_put_text(&sql, " LIMIT 1");
    TRY(buf_status(&sql, err));
    TRY(db_prepare(store->db, buf_text(&sql), out, err));
    return db_keep(store->db, store->cat, WHAT_LOCATE, 0, *out, err);
}

enum status store_locate(struct store *store, int64_t id, const struct entity **out_entity,
                         int64_t *out_id, struct err *err) {
    struct db_stmt *s = NULL;
    int64_t final;
    bool row;
    TRY(alias_resolve(store->db, id, &final, err));
    TRY(prepare_locate(store, &s, err));
    db_bind_int(s, 1, final);
    TRY(db_step(s, &row, err));
    *out_entity = row ? catalogue_entity_by_tag(store->cat, (uint32_t)db_int(s, 0)) : NULL;
    *out_id = final;
    db_reset(s);
    return ST_OK;
}

/* ------------------------------------------------------------------ titles */

static enum status short_title(int64_t id, struct arena *mem, struct slice *out, struct err *err) {
    char text[ID_TEXT_BYTES] = "?";
    if (id_is_valid(id)) id_format(id, text);
    *out = arena_copy(mem, slice_from(text));
    return out->data ? ST_OK : err_no_memory(err);
}

static enum status field_title(const struct field *f, struct value v, struct arena *mem,
                               struct slice *out, struct err *err) {
    struct buf text SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    field_write_text(f, v, LANG_ZH, 0, &text);
    TRY(buf_status(&text, err));
    *out = arena_copy(mem, buf_slice(&text));
    return out->data ? ST_OK : err_no_memory(err);
}

static enum status title_of_value(struct store *store, const struct row *row, int hops,
                                  struct arena *mem, struct slice *out, struct err *err);

static enum status title_of(struct store *store, const struct entity *e, int64_t id, int hops,
                            struct arena *mem, struct slice *out, struct err *err) {
    struct row row;
    struct err ignored;
    enum status status = hops > 0 ? store_get(store, e, id, mem, &row, &ignored) : ST_NOT_FOUND;
    if (status == ST_NOT_FOUND) return short_title(id, mem, out, err);
    if (status != ST_OK) {
        if (err) *err = ignored;
        return status;
    }
    return title_of_value(store, &row, hops, mem, out, err);
}

/* A row may be known by what it refers to. */
static enum status title_of_value(struct store *store, const struct row *row, int hops,
                                  struct arena *mem, struct slice *out, struct err *err) {
    const struct field *f =
        row->entity->title ? entity_field(row->entity, slice_from(row->entity->title)) : NULL;
    struct value v = f ? row->values[entity_field_index(row->entity, f)] : value_null();
    if (v.kind == VALUE_NULL) return short_title(row->id, mem, out, err);
    if (f->type != FIELD_REF) return field_title(f, v, mem, out, err);
    const struct entity *target = catalogue_entity(store->cat, slice_from(f->refers_to));
    return title_of(store, target, v.number, hops - 1, mem, out, err);
}

enum status store_title(struct store *store, const struct entity *e, int64_t id, struct arena *mem,
                        struct slice *out, struct err *err) {
    return title_of(store, e, id, TITLE_HOPS_MAX, mem, out, err);
}

/* ------------------------------------------------------------------ what a person typed */

struct candidates {
    int64_t ids[CANDIDATES_SHOWN + 1];
    size_t count;
};

/* Living rows whose field is the text, or begins with it in either case. One more than is shown
 * tells "and more". */
static enum status find_by_text(struct store *store, const struct entity *e, const struct field *f,
                                struct slice typed, bool prefix, struct candidates *out,
                                struct err *err) {
    struct db_stmt *s = NULL;
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE),
                   end SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    bool row = true;
    buf_put_text(&sql, "SELECT id FROM ");
    rows_put_table(&sql, e);
    buf_put_text(&sql, " WHERE ");
    rows_put_field(&sql, f, store->role);
    if (prefix) {
        buf_put_text(&sql, " >= ?1 COLLATE NOCASE AND ");
        rows_put_field(&sql, f, store->role);
        buf_put_text(&sql, " < ?2 COLLATE NOCASE");
    } else {
        buf_put_text(&sql, " = ?1");
    }
    buf_printf(&sql, " AND %s ORDER BY ", rows_living_sql(store->role));
    rows_put_field(&sql, f, store->role);
    buf_printf(&sql, "%s LIMIT %d", prefix ? " COLLATE NOCASE" : "", CANDIDATES_SHOWN + 1);
    buf_put_slice(&end, typed);
    buf_put_code_point(&end, 0x10FFFF);
    TRY(buf_status(&sql, err));
    TRY(buf_status(&end, err));
    TRY(db_prepare(store->db, buf_text(&sql), &s, err));
    db_bind_text(s, 1, typed);
    if (prefix) db_bind_text(s, 2, buf_slice(&end));
    out->count = 0;
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        out->ids[out->count++] = db_int(s, 0);
    }
    db_reset(s);
    return ST_OK;
}

static enum status ambiguous(struct store *store, const struct entity *e, struct slice typed,
                             const struct candidates *found, struct arena *mem, struct err *err) {
    struct buf list SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    for (size_t i = 0; i < found->count && i < CANDIDATES_SHOWN; i++) {
        struct slice title;
        char id[ID_TEXT_BYTES];
        TRY(store_title(store, e, found->ids[i], mem, &title, err));
        id_format(found->ids[i], id);
        buf_printf(&list, "%s%.*s (%s)", i > 0 ? ", " : "", (int)text_prefix(title, 60).len,
                   (const char *)title.data, id);
    }
    if (found->count > CANDIDATES_SHOWN) buf_put_text(&list, ", ...");
    return err_set(err, ST_CONFLICT, "\"%.*s\" could be several: %s", "“%.*s”对应多条记录：%s",
                   (int)typed.len, (const char *)typed.data, buf_text(&list));
}

static enum status find_by_id(struct store *store, const struct entity *e, struct slice typed,
                              struct candidates *out, struct err *err) {
    int64_t id;
    const struct entity *of;
    out->count = 0;
    if (!id_parse(typed, &id)) return ST_OK;
    TRY(store_locate(store, id, &of, &out->ids[0], err));
    if (of == e) out->count = 1;
    return ST_OK;
}

enum { NAME_WEIGHT = 5 };

/* Short names and numbers of other systems name a row too: one-line texts that weigh much in a
 * search. */
static enum status find_by_other_name(struct store *store, const struct entity *e,
                                      const struct field *title, struct slice typed,
                                      struct candidates *out, struct err *err) {
    for (size_t i = 0; i < e->field_count && out->count == 0; i++) {
        const struct field *f = &e->fields[i];
        if (f != title && f->type == FIELD_TEXT && f->search >= NAME_WEIGHT)
            TRY(find_by_text(store, e, f, typed, false, out, err));
    }
    return ST_OK;
}

/* The ways in which a row may be meant, surest first. */
static enum status find_candidates(struct store *store, const struct entity *e, struct slice typed,
                                   struct candidates *out, struct err *err) {
    const struct field *key =
        e->key[0] && !e->key[1] ? entity_field(e, slice_from(e->key[0])) : NULL;
    const struct field *title = e->title ? entity_field(e, slice_from(e->title)) : NULL;
    TRY(find_by_id(store, e, typed, out, err));
    if (out->count == 0 && key && rows_holds_text(key))
        TRY(find_by_text(store, e, key, typed, false, out, err));
    if (out->count > 0 || !title || !rows_holds_text(title)) return ST_OK;
    TRY(find_by_text(store, e, title, typed, false, out, err));
    if (out->count == 0) TRY(find_by_text(store, e, title, typed, true, out, err));
    return out->count > 0 ? ST_OK : find_by_other_name(store, e, title, typed, out, err);
}

static enum status resolve(struct store *store, const struct entity *e, struct slice typed,
                           struct arena *mem, int64_t *out_id, struct err *err) {
    struct candidates found = {.count = 0};
    if (!text_is_utf8(typed)) return err_set(err, ST_INVALID, "not UTF-8 text", "不是 UTF-8 文字");
    TRY(text_nfc(slice_trim(typed), mem, &typed, err));
    typed = text_prefix(typed, ERR_TEXT_BYTES / 2);
    if (typed.len == 0) /* each text takes its own label: %.0s passes one over */
        return err_set(err, ST_INVALID, "which %s%.0s?", "请指明%.0s%s", e->label[LANG_EN],
                       e->label[LANG_ZH]);
    TRY(find_candidates(store, e, typed, &found, err));
    if (found.count == 0)
        return err_set(err, ST_NOT_FOUND, "no %s%.0s is called \"%.*s\"", "%.0s%s中没有“%.*s”",
                       e->label[LANG_EN], e->label[LANG_ZH], (int)typed.len,
                       (const char *)typed.data);
    if (found.count > 1) return ambiguous(store, e, typed, &found, mem, err);
    *out_id = found.ids[0];
    return ST_OK;
}

enum status store_resolve(struct store *store, const struct entity *e, struct slice typed,
                          int64_t *out_id, struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    enum status status = resolve(store, e, typed, &mem, out_id, err);
    arena_clear(&mem);
    return status;
}

enum status store_is_itself(struct store *store, const struct entity *e, struct slice typed,
                            int64_t id, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct slice title;
    const struct entity *of;
    int64_t given, led;
    char former[ID_TEXT_BYTES], now[ID_TEXT_BYTES];
    if (!id_parse(slice_trim(typed), &given) || given == id) return ST_OK;
    TRY(store_locate(store, given, &of, &led, err));
    if (of != e || led != id) return ST_OK; /* a name that looks like an id */
    TRY(store_title(store, e, id, &mem, &title, err));
    id_format(given, former);
    id_format(id, now);
    title = text_prefix(title, 60);
    return err_set(err, ST_CONFLICT,
                   "nothing was deleted: %s is not there any more, it became %.*s (%s); give that "
                   "id to delete that one",
                   "没有删除任何内容：%s 已不存在，已并入%.*s（%s）；要删除后者请给出其编号",
                   former, (int)title.len, (const char *)title.data, now);
}
