/* What can be checked about a file alone: the engine's own check, values against the catalogue,
 * references, full text, then what laptop and server add. A finding is a line that says where and
 * what; it changes nothing.
 */
#include "syncd/store/store_private.h"

#include <string.h>

enum { LOOK_EVERY = 1000, FINDINGS_BYTES = 1024 * 1024 };

struct check {
    struct store *store;
    store_progress *progress;
    void *ctx;
    struct buf *out;
    int64_t rows, total;
    uint64_t text_sum; /* what the index should hold */
};

/* Enough is enough: a file with a million findings is told by the first ten thousand. */
static bool may_report(const struct check *check) {
    return check->out->len < FINDINGS_BYTES;
}

static void report(struct check *check, const struct entity *e, int64_t id, const struct field *f,
                   const char *what) {
    char text[ID_TEXT_BYTES] = "?";
    if (!may_report(check)) return;
    if (id_is_valid(id)) id_format(id, text);
    buf_printf(check->out, "%s %s (%lld)%s%s: %s\n", e->name, text, (long long)id, f ? ", " : "",
               f ? f->name : "", what);
}

/* ------------------------------------------------------------------ one row */

/* Limits of added fields may have changed since, and a value of an enumeration may be news: neither
 * is damage. */
static bool is_sound(const struct field *f, struct value v, struct err *err) {
    struct field loose = *f;
    if (f->type == FIELD_ENUM && v.kind == VALUE_INT && v.number >= FIELD_ADDED_FIRST) return true;
    if (field_is_added(f)) {
        loose.min = 0;
        loose.max = rows_holds_text(f) ? INT32_MAX : 0;
    }
    return field_check_merged(&loose, v, err) == ST_OK;
}

static void check_values(struct check *check, const struct entity *e, int64_t id,
                         const struct value *values) {
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        struct err err;
        if (!rows_is_stored(f) || values[i].kind == VALUE_NULL) continue;
        if (!is_sound(f, values[i], &err))
            report(check, e, id, f, err.text[LANG_EN]);
    }
}

/* A laptop holds a part of the book: what its rows refer to may be out of its sight. At the server
 * everything is. */
static enum status check_references(struct check *check, const struct entity *e, int64_t id,
                                    const struct value *values, struct err *err) {
    for (size_t i = 0; i < e->field_count; i++) {
        const struct field *f = &e->fields[i];
        const struct entity *target = NULL;
        int64_t final;
        if (f->type != FIELD_REF || !rows_is_stored(f) || values[i].kind != VALUE_INT) continue;
        if (!id_is_valid(values[i].number)) {
            report(check, e, id, f, "refers to something that is no id");
            continue;
        }
        TRY(store_locate(check->store, values[i].number, &target, &final, err));
        if (!target && check->store->kind == STORE_SERVER)
            report(check, e, id, f, "refers to a row that is not there");
        if (target && strcmp(target->name, f->refers_to) != 0)
            report(check, e, id, f, "refers to a row of another kind");
    }
    return ST_OK;
}

static enum status check_row(struct check *check, const struct entity *e, struct db_stmt *s,
                             struct arena *mem, struct err *err) {
    struct value *values;
    struct slice title, body;
    int64_t id = db_int(s, 0);
    TRY(rows_take_values(e, s, 2, false, mem, &values, err));
    if (!id_is_valid(id)) report(check, e, id, NULL, "is no id");
    check_values(check, e, id, values);
    TRY(check_references(check, e, id, values, err));
    TRY(rows_text(e, values, mem, &title, &body, err));
    if (db_int(s, 1))
        check->text_sum +=
            db_text_sum_row(id, title, body); /* only rows that people see are in it */
    if (++check->rows % LOOK_EVERY == 0 && check->progress &&
        !check->progress(check->ctx, check->rows, check->total))
        return err_set(err, ST_CANCELLED, "cancelled", "已取消");
    return ST_OK;
}

/* ------------------------------------------------------------------ all rows */

static enum status check_entity(struct check *check, const struct entity *e, struct err *err) {
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct arena mem = arena_new(STORE_SCRATCH_CAP);
    struct db_stmt *s = NULL;
    enum status status = ST_OK;
    bool more = true;
    buf_printf(&sql, "SELECT id, %s", rows_living_sql(check->store->role));
    rows_put_columns(&sql, e, check->store->role);
    TRY(buf_status(&sql, err));
    TRY(db_prepare(check->store->db, buf_text(&sql), &s, err));
    while (status == ST_OK) {
        status = db_step(s, &more, err);
        if (status != ST_OK || !more) break;
        status = check_row(check, e, s, &mem, err);
        arena_clear(&mem);
    }
    arena_clear(&mem);
    db_reset(s);
    return status;
}

static enum status count_rows(struct store *store, int64_t *out, struct err *err) {
    int64_t total = 0;
    for (size_t i = 0; i < store->cat->count; i++) {
        struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
        struct db_stmt *s = NULL;
        bool row;
        buf_put_text(&sql, "SELECT count(*) FROM ");
        rows_put_table(&sql, &store->cat->entities[i]);
        TRY(buf_status(&sql, err));
        TRY(db_prepare(store->db, buf_text(&sql), &s, err));
        TRY(db_step(s, &row, err));
        total += db_int(s, 0);
        db_reset(s);
    }
    *out = total;
    return ST_OK;
}

static enum status check_text(struct check *check, struct err *err) {
    uint64_t sum;
    TRY(db_text_sum(check->store->db, &sum, err));
    if (sum != check->text_sum)
        buf_put_text(check->out, "full text: the index does not fit the rows\n");
    return ST_OK;
}

static enum status check_content(struct check *check, struct err *err) {
    TRY(count_rows(check->store, &check->total, err));
    for (size_t i = 0; i < check->store->cat->count; i++)
        TRY(check_entity(check, &check->store->cat->entities[i], err));
    if (check->store->kind == STORE_SERVER) return centre_verify(check->store, check->out, err);
    TRY(check_text(check, err));
    return laptop_verify(check->store, check->out, err);
}

/* What was found of a damaged file is told even if the rest of it cannot be read. */
static enum status content_or_damage(struct check *check, struct err *err) {
    struct err damage = {0};
    enum status status = check_content(check, &damage);
    if (status == ST_DAMAGED && check->out->len > 0) return ST_OK;
    if (status != ST_OK && err) *err = damage;
    return status;
}

/* One read transaction, so that what others write meanwhile is not taken for a finding. */
enum status store_verify(struct store *store, store_progress *progress, void *ctx,
                         struct buf *out_findings, int64_t *out_rows, struct err *err) {
    struct check check = {.store = store, .progress = progress, .ctx = ctx, .out = out_findings};
    bool own = !db_in_transaction(store->db);
    if (own) TRY(db_begin(store->db, false, err));
    enum status status = db_integrity(store->db, out_findings, err);
    if (status == ST_OK) status = content_or_damage(&check, err);
    if (own) db_rollback(store->db);
    if (status == ST_OK) *out_rows = check.rows;
    return status;
}
