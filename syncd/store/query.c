/* Lists: conditions and sort compiled to SQL over the rows, with parameters bound. Statements of
 * the plain shapes are cached; what people make up is not, so that it does not fill the cache.
 */
#include "syncd/store/store_private.h"

#include <assert.h>
#include <string.h>

enum { CONDITIONS_MAX = 64 };

/* ------------------------------------------------------------------ conditions */

/* NULL equals NULL here; but a value is compared with =, which tells the engine that the row's is
 * not NULL, so that it may use the indexes of references. */
static const char *operator_of(const struct condition *c) {
    switch (c->compare) {
    case COMPARE_EQ: return c->value.kind == VALUE_NULL ? " IS ?" : " = ?";
    case COMPARE_NE: return " IS NOT ?";
    case COMPARE_LT: return " < ?";
    case COMPARE_LE: return " <= ?";
    case COMPARE_GT: return " > ?";
    case COMPARE_GE: return " >= ?";
    case COMPARE_CONTAINS: return " LIKE ? ESCAPE '\\'";
    }
    return " IS ?";
}

static bool is_ordering(enum compare compare) {
    return compare == COMPARE_LT || compare == COMPARE_LE || compare == COMPARE_GT ||
           compare == COMPARE_GE;
}

static enum status check_condition(const struct condition *c, struct err *err) {
    const struct field *f = c->field;
    bool text = rows_holds_text(f);
    if (c->value.kind == VALUE_NULL && c->compare != COMPARE_EQ && c->compare != COMPARE_NE)
        return err_set(err, ST_INVALID, "%s: there is nothing to compare with",
                       "%s：没有可比较的内容", f->name);
    if (c->value.kind != VALUE_NULL && (c->value.kind == VALUE_TEXT) != text)
        return text ? err_set(err, ST_INVALID, "%s is compared with text", "%s 应与文字比较",
                              f->name)
                    : err_set(err, ST_INVALID, "%s is compared with a number", "%s 应与数值比较",
                              f->name);
    if (c->compare == COMPARE_CONTAINS && !text)
        return err_set(err, ST_INVALID, "%s holds no text that could contain something",
                       "%s 不是文字，无法用“包含”", f->name);
    if (f->type == FIELD_SET && is_ordering(c->compare))
        return err_set(err, ST_INVALID, "%s is a set: it has an element or it has not",
                       "%s 是集合：只能判断是否含有某项", f->name);
    return ST_OK;
}

/* An element of a set stands between line feeds. */
static bool is_about_element(const struct condition *c) {
    return c->field->type == FIELD_SET && c->value.kind == VALUE_TEXT &&
           c->compare != COMPARE_CONTAINS;
}

static void put_condition(struct store *store, const struct condition *c, struct buf *sql) {
    struct buf value SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    rows_put_value(&value, store->cat, store->role, c->field);
    if (value.failed) sql->failed = true;
    if (is_about_element(c)) {
        buf_printf(sql, "coalesce(instr(char(10)||%s||char(10), char(10)||?||char(10)), 0) %s 0",
                   buf_text(&value), c->compare == COMPARE_EQ ? ">" : "=");
        return;
    }
    buf_put_text(sql, buf_text(&value));
    buf_put_text(sql, operator_of(c));
}

static enum status put_where(struct store *store, const struct query *q, struct buf *sql,
                             struct err *err) {
    if (q->condition_count > CONDITIONS_MAX)
        return err_set(err, ST_TOO_LARGE, "at most %d conditions", "最多 %d 个条件",
                       CONDITIONS_MAX);
    buf_put_text(sql, " FROM ");
    rows_put_table(sql, q->entity);
    /* On a laptop those on their way out as well, which are read-only. */
    if (store->role == ROWS_LAPTOP)
        buf_put_text(sql, " r WHERE (r._gone IS NULL OR r._gone = 2)");
    else
        buf_printf(sql, " r WHERE r.%s", rows_living_sql(store->role));
    for (size_t i = 0; i < q->condition_count; i++) {
        TRY(check_condition(&q->conditions[i], err));
        buf_put_text(sql, " AND ");
        put_condition(store, &q->conditions[i], sql);
    }
    return ST_OK;
}

/* The pattern of LIKE for a text as it stands. */
static enum status like_pattern(struct slice text, struct arena *mem, struct slice *out,
                                struct err *err) {
    uint8_t *pattern = arena_array(mem, text.len * 2 + 2, 1);
    size_t len = 0;
    if (!pattern) return err_no_memory(err);
    pattern[len++] = '%';
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '%' || text.data[i] == '_' || text.data[i] == '\\')
            pattern[len++] = '\\';
        pattern[len++] = text.data[i];
    }
    pattern[len++] = '%';
    *out = slice_of(pattern, len);
    return ST_OK;
}

static enum status bind_conditions(const struct query *q, struct db_stmt *s, struct arena *mem,
                                   struct err *err) {
    for (size_t i = 0; i < q->condition_count; i++) {
        const struct condition *c = &q->conditions[i];
        struct slice text = c->value.text;
        int index = (int)i + 1;
        if (c->compare == COMPARE_CONTAINS) TRY(like_pattern(text, mem, &text, err));
        if (c->value.kind == VALUE_INT) db_bind_int(s, index, c->value.number);
        if (c->value.kind == VALUE_TEXT) db_bind_text(s, index, text);
    }
    return ST_OK;
}

/* ------------------------------------------------------------------ lists */

static void put_order(struct store *store, const struct query *q, struct buf *sql) {
    const char *direction = q->descending ? " DESC" : "";
    buf_put_text(sql, " ORDER BY ");
    if (q->sort) {
        rows_put_value(sql, store->cat, store->role, q->sort);
        buf_printf(sql, "%s%s, ", rows_holds_text(q->sort) ? " COLLATE NOCASE" : "", direction);
    }
    buf_printf(sql, "r.id%s", direction);
    if (q->limit > 0 || q->offset > 0)
        buf_printf(sql, " LIMIT %lld OFFSET %lld", (long long)(q->limit > 0 ? q->limit : -1),
                   (long long)q->offset);
}

/* All rows, or those with one value in one field, by id: as many shapes as there are fields. */
static bool is_plain(const struct query *q) {
    return !q->sort && !q->descending && q->limit == 0 && q->offset == 0 &&
           (q->condition_count == 0 ||
            (q->condition_count == 1 && q->conditions[0].compare == COMPARE_EQ));
}

static enum status prepare_query(struct store *store, const struct query *q, bool count,
                                 struct arena *mem, struct db_stmt **out, struct err *err) {
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct db_stmt *s = NULL;
    buf_put_text(&sql, "SELECT ");
    if (count)
        buf_put_text(&sql, "count(*)");
    else
        store_put_columns(store, q->entity, &sql);
    TRY(put_where(store, q, &sql, err));
    if (!count) put_order(store, q, &sql);
    TRY(buf_status(&sql, err));
    TRY(is_plain(q) ? db_prepare(store->db, buf_text(&sql), &s, err)
                    : db_prepare_once(store->db, buf_text(&sql), &s, err));
    enum status status = bind_conditions(q, s, mem, err);
    if (status == ST_OK)
        *out = s;
    else
        db_release(s);
    return status;
}

static enum status walk(struct store *store, const struct query *q, struct db_stmt *s,
                        store_row *row, void *ctx, struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    enum status status = ST_OK;
    bool more = true;
    while (status == ST_OK) {
        struct row each;
        status = db_step(s, &more, err);
        if (status != ST_OK || !more) break;
        status = store_take_row(store, q->entity, s, &mem, &each, err);
        if (status == ST_OK) status = row(ctx, &each, err);
        arena_clear(&mem);
    }
    arena_clear(&mem);
    return status;
}

enum status store_list(struct store *store, const struct query *query, store_row *row, void *ctx,
                       struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    struct db_stmt *s = NULL;
    enum status status = prepare_query(store, query, false, &mem, &s, err);
    if (status == ST_OK) status = walk(store, query, s, row, ctx, err);
    db_release(s);
    arena_clear(&mem);
    return status;
}

enum status store_count(struct store *store, const struct query *query, int64_t *out,
                        struct err *err) {
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    struct db_stmt *s = NULL;
    bool row = false;
    enum status status = prepare_query(store, query, true, &mem, &s, err);
    if (status == ST_OK) status = db_step(s, &row, err);
    if (status == ST_OK) *out = db_int(s, 0);
    db_release(s);
    arena_clear(&mem);
    return status;
}
