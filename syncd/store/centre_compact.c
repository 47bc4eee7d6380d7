/* How far tombstones and history may go, and the collecting of tombstones. */
#include "syncd/store/centre_compact.h"

#include <stdlib.h>
#include <string.h>

#include "syncd/store/centre_private.h"
#include "syncd/store/centre_unite.h"
#include "syncd/store/lives.h"

enum { COLLECT_SCRATCH = 64 * 1024 * 1024 };
static const int64_t DAY_MS = 24 * 3600 * 1000;

/* ------------------------------------------------------------------ settings */

enum status centre_keep_history(struct centre *c, int64_t *out_days, struct err *err) {
    *out_days = 0;
    return meta_int(c->db, "keep_history_days", out_days, err);
}

static enum status put_keep(struct centre *c, void *ctx, struct err *err) {
    return meta_int_set(c->db, "keep_history_days", *(const int64_t *)ctx, err);
}

enum status centre_keep_history_set(struct centre *c, int64_t days, struct err *err) {
    if (days < 0 || days > CENTRE_KEEP_DAYS_MAX)
        return err_set(err, ST_INVALID, "history is kept for 0 (for ever) to %d days",
                       "历史保留天数应为 0（永久）至 %d 天", CENTRE_KEEP_DAYS_MAX);
    return centre_write(c, put_keep, &days, err);
}

enum status centre_compacted(struct centre *c, int64_t *out_ms, struct err *err) {
    *out_ms = 0;
    return meta_int(c->db, "compacted_ms", out_ms, err);
}

static enum status put_compacted(struct centre *c, void *ctx, struct err *err) {
    (void)ctx;
    return meta_int_set(c->db, "compacted_ms", centre_now(c), err);
}

enum status centre_compacted_note(struct centre *c, struct err *err) {
    return centre_write(c, put_compacted, NULL, err);
}

/* ------------------------------------------------------------------ the horizon */

static enum status number_of(struct centre *c, const char *sql, int64_t bound, int64_t *out,
                             struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, sql, &s, err));
    if (db_parameter_count(s) > 0) db_bind_int(s, 1, bound);
    TRY(db_step(s, &row, err));
    *out = row && !db_is_null(s, 0) ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

/* The last seq that was committed before that time. */
static enum status seq_before(struct centre *c, int64_t ms, int64_t *out, struct err *err) {
    int64_t low = 0, high = c->head.position.seq, time_ms;
    while (low < high) { /* times never go back; a seq that was never issued counts as the next */
        int64_t mid = low + (high - low + 1) / 2, seq;
        TRY(number_of(c, "SELECT min(seq) FROM log WHERE seq >= ?", mid, &seq, err));
        TRY(centre_log_time(c, seq, &time_ms, err));
        if (seq > 0 && time_ms < ms)
            low = seq;
        else
            high = mid - 1;
    }
    *out = low;
    return ST_OK;
}

struct laptops {
    struct centre_horizon *h;
    struct centre *c;
    int64_t now_ms;
};

/* A laptop that told of saves which did not come yet may have saved them before it knew. */
static enum status heed_laptop(struct laptops *l, struct db_stmt *s, struct err *err) {
    int64_t seen_ms = db_int(s, 0), enrolled_ms = db_int(s, 1), cursor = db_int(s, 2), seq = 0;
    bool unsent = db_int(s, 3) > db_int(s, 4);
    int64_t last_ms = seen_ms > enrolled_ms ? seen_ms : enrolled_ms;
    if (last_ms + l->h->lease_ms < l->now_ms) {
        l->h->away++;
        return ST_OK;
    }
    l->h->laptops++;
    if (!unsent) TRY(centre_passed(l->c, (uint32_t)db_int(s, 5), cursor, &seq, err));
    if (seq < l->h->seq) l->h->seq = seq;
    return ST_OK;
}

static enum status heed_laptops(struct laptops *l, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(l->c->db,
                   "SELECT d.seen_ms, d.enrolled_ms, d.cursor, d.newest, d.last_batch, "
                   "d.number FROM device d"
                   " JOIN org_user u ON u.id = d.user WHERE d.number > 0 AND d.revoked = 0"
                   " AND u.active <> 0",
                   &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        status = heed_laptop(l, s, err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

enum status centre_horizon(struct centre *c, struct centre_horizon *out, struct err *err) {
    struct centre_head head;
    struct centre_horizon h = {0};
    int64_t days;
    TRY(centre_head(c, &head, err));
    h.seq = head.recovering ? 0 : head.position.seq; /* rows may still be given back */
    h.lease_ms = c->scope.lease_days * DAY_MS;
    struct laptops l = {&h, c, centre_now(c)};
    TRY(heed_laptops(&l, err));
    TRY(seq_before(c, l.now_ms - h.lease_ms, &h.aged_seq, err));
    h.aged_seq = least(h.aged_seq, h.seq);
    TRY(centre_keep_history(c, &days, err));
    if (days > 0) {
        h.old_ms = l.now_ms - days * DAY_MS;
        TRY(seq_before(c, h.old_ms, &h.old_seq, err));
        h.old_seq = least(h.old_seq, h.seq);
    }
    *out = h;
    return ST_OK;
}

/* ------------------------------------------------------------------ deletes that may go */

struct units {
    int64_t *items;
    size_t count;
};

static enum status add_units(struct centre *c, const struct entity *e,
                             const struct centre_horizon *h, struct units *u, struct err *err) {
    struct db_stmt *s;
    bool row;
    SCOPED(buf_free) struct buf sql = buf_new(BUF_MAX_LINE);
    buf_printf(&sql,
               "SELECT DISTINCT _dead FROM \"r_%s\" WHERE _dead IS NOT NULL AND _seq <= ?"
               " ORDER BY _dead",
               e->name);
    TRY(buf_status(&sql, err));
    TRY(db_prepare(c->db, buf_text(&sql), &s, err));
    db_bind_int(s, 1, h->seq);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && u->count < CENTRE_UNITS_MAX) {
        if (db_int(s, 0) > 0) u->items[u->count++] = db_int(s, 0);
        status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

static int by_seq(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

enum status centre_passed_deletes(struct centre *c, const struct centre_horizon *horizon,
                                  struct arena *mem, int64_t **out_units, size_t *out_count,
                                  struct err *err) {
    struct units u = {ARENA_ARRAY(mem, CENTRE_UNITS_MAX, int64_t), 0};
    size_t kept = 0;
    if (!u.items) return err_no_memory(err);
    for (size_t i = 0; i < c->cat->count; i++)
        TRY(add_units(c, &c->cat->entities[i], horizon, &u, err));
    qsort(u.items, u.count, sizeof *u.items, by_seq);
    for (size_t i = 0; i < u.count; i++)
        if (kept == 0 || u.items[kept - 1] != u.items[i]) u.items[kept++] = u.items[i];
    *out_units = u.items;
    *out_count = kept;
    return ST_OK;
}

/* ------------------------------------------------------------------ one delete */

struct collecting {
    struct centre *c;
    const struct centre_horizon *horizon;
    struct arena *mem;
    struct log_entry first;
    struct centre_ref *rows; /* of the delete, owners first */
    int64_t *ids;            /* of those that it still holds, ascending */
    size_t count, room, id_count;
};

static enum status put_row(struct collecting *w, const struct log_entry *entry, struct err *err) {
    if (w->count == w->room) {
        size_t room = w->room ? w->room * 2 : 16;
        struct centre_ref *rows = ARENA_ARRAY(w->mem, room, struct centre_ref);
        if (!rows) return err_no_memory(err);
        if (w->count > 0) memcpy(rows, w->rows, w->count * sizeof *rows);
        w->rows = rows;
        w->room = room;
    }
    w->rows[w->count++] =
        (struct centre_ref){catalogue_entity_by_tag(w->c->cat, entry->entity_tag), entry->row};
    return ST_OK;
}

/* The rows of a delete stand behind it in the log. */
static enum status walk(void *ctx, const struct log_entry *entry, bool *out_stop, struct err *err) {
    struct collecting *w = ctx;
    bool same = entry->device == w->first.device && entry->batch == w->first.batch &&
                entry->change == w->first.change &&
                (entry->kind == LOG_TAKEN || entry->seq == w->first.seq);
    *out_stop = !same;
    return same ? put_row(w, entry, err) : ST_OK;
}

static bool is_in_unit(const struct collecting *w, int64_t row) {
    return bsearch(&row, w->ids, w->id_count, sizeof *w->ids, by_seq) != NULL;
}

/* Survivors of merges, what waits for its date, and the person behind a user. */
static enum status is_needed(struct collecting *w, int64_t row, bool *out, struct err *err) {
    static const char *const WHO[] = {"SELECT 1 FROM alias WHERE to_id = ? LIMIT 1",
                                      "SELECT 1 FROM org_user WHERE employee = ? LIMIT 1",
                                      ("SELECT 1 FROM dated WHERE done_seq = 0 AND cancelled = 0"
                                       " AND ?1 IN (account, from_employee, to_employee) LIMIT 1")};
    int64_t found = 0;
    for (size_t i = 0; i < ARRAY_COUNT(WHO) && found == 0; i++)
        TRY(number_of(w->c, WHO[i], row, &found, err));
    *out = found != 0;
    return ST_OK;
}

/* Does it own a row of another delete? That one goes first. */
static enum status owns_others(struct collecting *w, const struct centre_ref *ref, bool *out,
                               struct err *err) {
    const struct catalogue *cat = w->c->cat;
    *out = false;
    for (size_t i = 0; i < cat->count && !*out; i++) {
        const struct entity *child = &cat->entities[i];
        int64_t *ids;
        size_t count;
        if (child->owner_field < 0 ||
            strcmp(child->fields[child->owner_field].refers_to, ref->entity->name) != 0)
            continue;
        TRY(centre_inheriting(w->c, child, ref->row, w->mem, &ids, &count, err));
        for (size_t k = 0; k < count && !*out; k++) *out = !is_in_unit(w, ids[k]);
    }
    return ST_OK;
}

/* Rows that came back since, or became others, are of the unit no more. */
static enum status find_held(struct collecting *w, bool *out_passed, struct err *err) {
    size_t kept = 0;
    *out_passed = true;
    w->ids = ARENA_ARRAY(w->mem, w->count + 1, int64_t);
    if (!w->ids) return err_no_memory(err);
    for (size_t i = 0; i < w->count && *out_passed; i++) {
        struct centre_row row;
        bool found = false;
        struct arena scratch = arena_new(COLLECT_SCRATCH);
        enum status status = ST_OK;
        if (w->rows[i].entity)
            status = centre_row_read(w->c, w->rows[i].entity, w->rows[i].row, &scratch, &row,
                                     &found, err);
        if (status == ST_OK && found && row.dead == w->first.seq) {
            *out_passed = row.seq <= w->horizon->seq;
            w->rows[kept++] = w->rows[i];
        }
        arena_clear(&scratch);
        TRY(status);
    }
    w->count = w->id_count = kept;
    for (size_t i = 0; i < kept; i++) w->ids[i] = w->rows[i].row;
    qsort(w->ids, kept, sizeof *w->ids, by_seq);
    return ST_OK;
}

static enum status may_go(struct collecting *w, bool *out, struct err *err) {
    bool stays = false;
    TRY(find_held(w, out, err));
    for (size_t i = 0; i < w->count && *out && !stays; i++) {
        TRY(is_needed(w, w->rows[i].row, &stays, err));
        if (!stays) TRY(owns_others(w, &w->rows[i], &stays, err));
    }
    *out = *out && !stays && w->count > 0;
    return ST_OK;
}

/* ------------------------------------------------------------------ out of the book */

static enum status run_with(struct centre *c, const char *sql, int64_t a, struct err *err) {
    struct db_stmt *s;
    c->collected_known = false;
    TRY(db_prepare(c->db, sql, &s, err));
    db_bind_int(s, 1, a);
    return db_run(s, err);
}

static enum status keep_image(struct collecting *w, const struct centre_row *row,
                              struct buf bytes[2], struct err *err) {
    struct db_stmt *s;
    rows_image_write(row->entity, row->values, true, &bytes[0]); /* most are empty at the end */
    row_clock_write(&row->clock, &bytes[1]);
    TRY(buf_status(&bytes[0], err));
    TRY(buf_status(&bytes[1], err));
    TRY(db_prepare(w->c->db,
                   "INSERT OR REPLACE INTO collected(row, entity, unit, seq, deleted_ms, vals,"
                   " clock, more) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                   &s, err));
    db_bind_int(s, 1, row->id);
    db_bind_int(s, 2, row->entity->tag);
    db_bind_int(s, 3, row->dead);
    db_bind_int(s, 4, row->seq);
    db_bind_int(s, 5, w->first.time_ms);
    db_bind_blob(s, 6, buf_slice(&bytes[0]));
    db_bind_blob(s, 7, buf_slice(&bytes[1]));
    db_bind_blob(s, 8, row->more);
    return db_run(s, err);
}

static enum status take_out(struct collecting *w, const struct centre_ref *ref,
                            struct arena *scratch, struct err *err) {
    static const char *const BESIDE[] = {"DELETE FROM text_version WHERE row = ?",
                                         "DELETE FROM old_remove WHERE row = ?",
                                         "DELETE FROM leave_row WHERE row = ?"};
    struct centre_row row;
    bool found;
    struct buf bytes[2];
    TRY(centre_row_read(w->c, ref->entity, ref->row, scratch, &row, &found, err));
    for (int i = 0; i < 2; i++) bytes[i] = buf_new(BUF_MAX_MESSAGE);
    enum status status = keep_image(w, &row, bytes, err);
    for (int i = 0; i < 2; i++) buf_free(&bytes[i]);
    TRY(status);
    TRY(centre_row_remove(w->c, ref->entity, ref->row, err));
    for (size_t i = 0; i < ARRAY_COUNT(BESIDE); i++) TRY(run_with(w->c, BESIDE[i], ref->row, err));
    return ST_OK;
}

/* Owned rows before their owners. */
static enum status take_all(struct collecting *w, struct err *err) {
    struct arena scratch = arena_new(COLLECT_SCRATCH);
    enum status status = ST_OK;
    for (size_t i = w->count; i > 0 && status == ST_OK; i--) {
        arena_clear(&scratch);
        status = take_out(w, &w->rows[i - 1], &scratch, err);
    }
    arena_clear(&scratch);
    if (status == ST_OK)
        status = run_with(w->c, "DELETE FROM delete_also WHERE unit = ?", w->first.seq, err);
    return status;
}

enum status centre_collect(struct centre *c, int64_t unit, const struct centre_horizon *horizon,
                           int64_t *out_rows, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(COLLECT_SCRATCH);
    struct collecting w = {.c = c, .horizon = horizon, .mem = &mem};
    bool goes = false;
    *out_rows = 0;
    TRY(centre_log_entry(c, unit, &w.first, err));
    TRY(centre_log_walk(c, unit - 1, walk, &w, err));
    TRY(may_go(&w, &goes, err));
    if (!goes) return ST_OK;
    TRY(take_all(&w, err));
    *out_rows = (int64_t)w.count;
    return ST_OK;
}

/* ------------------------------------------------------------------ what was collected */

static enum status take_image(struct centre *c, struct db_stmt *s, struct arena *mem,
                              struct centre_collected *out, struct err *err) {
    const struct entity *e = catalogue_entity_by_tag(c->cat, out->entity_tag);
    struct centre_row *row = &out->content;
    struct slice clock = arena_copy(mem, db_blob(s, 5));
    if (!e) return err_set(err, ST_DAMAGED, "a collected row of no kind", "已清理记录的类型未知");
    *row = (struct centre_row){.entity = e,
                               .id = out->row,
                               .seq = out->seq,
                               .dead = out->unit,
                               .more = arena_copy(mem, db_blob(s, 6))};
    if (!clock.data || !row->more.data) return err_no_memory(err);
    TRY(rows_image_read(e, db_blob(s, 4), mem, &row->values, err));
    return row_clock_read(clock, mem, &row->clock, err);
}

enum status centre_collected(struct centre *c, int64_t row, struct arena *mem,
                             struct centre_collected *out, bool *out_found, struct err *err) {
    struct db_stmt *s;
    enum status status = ST_OK;
    TRY(db_prepare(c->db,
                   "SELECT entity, unit, seq, deleted_ms, vals, clock, more FROM collected"
                   " WHERE row = ?",
                   &s, err));
    db_bind_int(s, 1, row);
    TRY(db_step(s, out_found, err));
    if (*out_found) {
        struct centre_collected it = {.entity_tag = (uint32_t)db_int(s, 0),
                                      .row = row,
                                      .unit = db_int(s, 1),
                                      .seq = db_int(s, 2),
                                      .deleted_ms = db_int(s, 3),
                                      .is_kept = !db_is_null(s, 4)};
        if (it.is_kept) status = take_image(c, s, mem, &it, err);
        if (status == ST_OK) *out = it;
    }
    db_reset(s);
    return status;
}

/* Most books never collected anything, and each creation asks. */
static enum status any_collected(struct centre *c, bool *out, struct err *err) {
    int64_t any = 0;
    if (!c->collected_known)
        TRY(number_of(c, "SELECT 1 FROM collected WHERE row > ? LIMIT 1", 0, &any, err));
    if (!c->collected_known) c->collected_any = any != 0;
    c->collected_known = true;
    *out = c->collected_any;
    return ST_OK;
}

enum status centre_was_collected(struct centre *c, int64_t row, int64_t seq, bool *out,
                                 struct err *err) {
    int64_t at = 0;
    TRY(any_collected(c, out, err));
    if (!*out) return ST_OK;
    TRY(number_of(c, "SELECT seq FROM collected WHERE row = ?", row, &at, err));
    *out = at > 0 && (seq == 0 || at == seq);
    return ST_OK;
}

enum status centre_collected_unit(struct centre *c, int64_t unit, struct arena *mem,
                                  int64_t **out_rows, size_t *out_count, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, "SELECT row FROM collected WHERE unit = ? ORDER BY seq", &s, err));
    db_bind_int(s, 1, unit);
    return centre_take_ids(s, mem, out_rows, out_count, err);
}

enum status centre_collected_drop(struct centre *c, int64_t row, struct err *err) {
    return run_with(c, "DELETE FROM collected WHERE row = ?", row, err);
}
