/* Compacting of history, in slices: each looks at some hundred items behind the place where the one
 * before stopped, so that a writer waits some milliseconds at most.
 */
#include "syncd/store/centre_compact.h"
#include "syncd/store/centre_private.h"

enum { SLICE_ITEMS = 500 };

struct thinning {
    struct centre *c;
    const struct centre_horizon *horizon;
    struct compact_place *place;
    int64_t items;
    bool done;
};

/* The end of the next slice of keys; sets done when there is none. sql: of a key behind ?1. */
static enum status next_key(struct thinning *t, const char *sql, int64_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(t->c->db, sql, &s, err));
    db_bind_int(s, 1, t->place->a);
    db_bind_int(s, 2, SLICE_ITEMS);
    TRY(db_step(s, &row, err));
    t->done = !row || db_is_null(s, 0);
    *out = t->done ? t->place->a : db_int(s, 0);
    db_reset(s);
    return ST_OK;
}

/* Runs sql on keys in (?1, ?2] with bound ?3, and goes on behind them. */
static enum status run_slice(struct thinning *t, const char *keys, const char *sql, int64_t bound,
                             struct err *err) {
    struct db_stmt *s;
    int64_t to;
    TRY(next_key(t, keys, &to, err));
    if (t->done) return ST_OK;
    TRY(db_prepare(t->c->db, sql, &s, err));
    db_bind_int(s, 1, t->place->a);
    db_bind_int(s, 2, to);
    db_bind_int(s, 3, bound);
    TRY(db_run(s, err));
    t->items += db_changes(t->c->db);
    t->place->a = to;
    return ST_OK;
}

/* A version is needed as long as a base may lie between it and the next. Bases of laptops that are
 * not away lie above the horizon; that of a save which is only now sent, within the lease. */
static enum status thin_texts(struct thinning *t, struct err *err) {
    return run_slice(t,
                     "SELECT max(row) FROM (SELECT DISTINCT row FROM text_version WHERE row > ?"
                     " ORDER BY row LIMIT ?)",
                     "DELETE FROM text_version WHERE row > ?1 AND row <= ?2 AND EXISTS (SELECT 1"
                     " FROM text_version n WHERE n.row = text_version.row AND n.cell ="
                     " text_version.cell AND n.seq > text_version.seq AND n.seq <= ?3)",
                     t->horizon->aged_seq, err);
}

static enum status thin_leaves(struct thinning *t, struct err *err) {
    return run_slice(t,
                     "SELECT max(row) FROM (SELECT DISTINCT row FROM leave_row WHERE row > ?"
                     " ORDER BY row LIMIT ?)",
                     "DELETE FROM leave_row WHERE row > ?1 AND row <= ?2 AND time_ms < ?3",
                     centre_now(t->c) - t->horizon->lease_ms, err);
}

static enum status thin_ledger(struct thinning *t, struct err *err) {
    return run_slice(t,
                     "SELECT max(seq) FROM (SELECT seq FROM ledger WHERE seq > ? ORDER BY seq"
                     " LIMIT ?)",
                     "DELETE FROM ledger WHERE seq > ?1 AND seq <= ?2 AND seq <= ?3",
                     t->horizon->old_seq, err);
}

static enum status thin_contents(struct thinning *t, struct err *err) {
    return run_slice(t,
                     "SELECT max(row) FROM (SELECT row FROM collected WHERE row > ? ORDER BY row"
                     " LIMIT ?)",
                     "UPDATE collected SET vals = NULL, clock = NULL, more = NULL WHERE row > ?1"
                     " AND row <= ?2 AND vals IS NOT NULL AND deleted_ms < ?3",
                     t->horizon->old_ms, err);
}

/* ------------------------------------------------------------------ the journal */

/* The newest batch of a laptop, and any that it may not know the receipt of, stay as they are. */
static enum status reduce(struct thinning *t, int64_t device, int64_t after, int64_t to,
                          struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(t->c->db,
                   "UPDATE journal SET bytes = x'', reduced = 1 WHERE device = ?1 AND batch > ?2"
                   " AND batch <= ?3 AND reduced <> 1 AND last_seq <= ?4 AND received_ms < ?5 AND"
                   " batch < (SELECT last_batch FROM device WHERE number = ?1)",
                   &s, err));
    db_bind_int(s, 1, device);
    db_bind_int(s, 2, after);
    db_bind_int(s, 3, to);
    db_bind_int(s, 4, t->horizon->old_seq);
    db_bind_int(s, 5, t->horizon->old_ms);
    TRY(db_run(s, err));
    t->items += db_changes(t->c->db);
    return ST_OK;
}

/* place: a device, and the batch up to which it is done. */
static enum status thin_journal(struct thinning *t, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(t->c->db,
                   "SELECT device, max(batch) FROM (SELECT device, batch FROM journal WHERE"
                   " device = (SELECT min(device) FROM journal WHERE (device, batch) > (?1, ?2))"
                   " AND (device, batch) > (?1, ?2) ORDER BY batch LIMIT ?3)",
                   &s, err));
    db_bind_int(s, 1, t->place->a);
    db_bind_int(s, 2, t->place->b);
    db_bind_int(s, 3, SLICE_ITEMS);
    TRY(db_step(s, &row, err));
    t->done = !row || db_is_null(s, 0);
    struct compact_place to = {db_int(s, 0), db_int(s, 1)};
    db_reset(s);
    if (t->done) return ST_OK;
    int64_t after = to.a == t->place->a ? t->place->b : 0;
    *t->place = to;
    return reduce(t, to.a, after, to.b, err);
}

/* ------------------------------------------------------------------ all */

enum status centre_compact(struct centre *c, enum compact_part part,
                           const struct centre_horizon *horizon, struct compact_place *place,
                           int64_t *out_items, bool *out_done, struct err *err) {
    struct thinning t = {.c = c, .horizon = horizon, .place = place};
    enum status status = ST_OK;
    bool history = part >= COMPACT_LEDGER;
    t.done = history && horizon->old_ms <= 0;
    if (!t.done) switch (part) {
        case COMPACT_TEXTS: status = thin_texts(&t, err); break;
        case COMPACT_LEAVES: status = thin_leaves(&t, err); break;
        case COMPACT_LEDGER: status = thin_ledger(&t, err); break;
        case COMPACT_JOURNAL: status = thin_journal(&t, err); break;
        case COMPACT_CONTENTS: status = thin_contents(&t, err); break;
        case COMPACT_PART_COUNT: t.done = true; break;
        }
    *out_items = t.items;
    *out_done = t.done;
    return status;
}

enum status centre_bytes(struct centre *c, int64_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db,
                   "SELECT (c.page_count - f.freelist_count) * p.page_size FROM pragma_page_count"
                   " c, pragma_freelist_count f, pragma_page_size p",
                   &s, err));
    TRY(db_step(s, &row, err));
    *out = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

void centre_let_others(void) {
    db_let_others();
}

enum status centre_flushed(struct centre *c, bool *out_done, struct err *err) {
    return db_checkpoint_all(c->db, out_done, err);
}
