/* Does the server's half of the file agree with itself? Everything is recomputed from what it
 * stands on: the chain of the log from its rows, the chains of the journal from its bytes, each row
 * from the log entry that it names.
 */
#include "syncd/store/centre_digest.h"
#include "syncd/store/centre_private.h"
#include "syncd/store/orders.h"
#include "syncd/store/org_keys.h"

#include <inttypes.h>
#include <string.h>

enum { VERIFY_SCRATCH = 64 * 1024 * 1024, FINDINGS_MAX = 1000 };

struct verify {
    struct db *db;
    const struct catalogue *cat;
    struct buf *out;
    store_progress *progress;
    void *ctx;
    int64_t done, total;
    size_t findings;
    bool stopped;
};

static void find(struct verify *v, const char *what, int64_t a, int64_t b) {
    if (v->findings++ < FINDINGS_MAX)
        buf_printf(v->out, "%s (%" PRId64 ", %" PRId64 ")\n", what, a, b);
}

static bool go_on(struct verify *v) {
    enum { PROGRESS_EACH = 4096 };
    v->done++;
    if (v->progress && v->done % PROGRESS_EACH == 0 && !v->progress(v->ctx, v->done, v->total))
        v->stopped = true;
    return !v->stopped;
}

/* ------------------------------------------------------------------ the log */

static enum status check_log(struct verify *v, struct err *err) {
    struct db_stmt *s;
    bool row;
    struct chain chain = {{0}};
    int64_t seq = 0, time_ms = 0;
    TRY(db_prepare(v->db, "SELECT " LOG_COLUMNS ", chain FROM log ORDER BY seq", &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && go_on(v)) {
        struct log_entry entry;
        log_entry_take(s, &entry);
        struct chain kept = chain_of(db_blob(s, 9));
        chain = log_chain(&chain, &entry);
        if (entry.seq != seq + 1 && entry.kind != LOG_EPOCH)
            find(v, "log: a seq is missing before", entry.seq, seq);
        if (entry.time_ms < time_ms) find(v, "log: time goes back", entry.seq, entry.time_ms);
        if (memcmp(kept.bytes, chain.bytes, CHAIN_BYTES) != 0)
            find(v, "log: the chain breaks at seq", entry.seq, 0);
        chain = kept;
        seq = entry.seq;
        time_ms = entry.time_ms;
        status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

/* ------------------------------------------------------------------ the journal */

/* Batches that were lost when the server went back stand in a list. */
static enum status skip_missing(struct verify *v, int64_t device, int64_t last, struct chain *chain,
                                bool *out_known, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(v->db, "SELECT chain FROM missing WHERE device = ? AND last = ?", &s, err));
    db_bind_int(s, 1, device);
    db_bind_int(s, 2, last);
    TRY(db_step(s, out_known, err));
    if (*out_known) *chain = chain_of(db_blob(s, 0));
    db_reset(s);
    return ST_OK;
}

/* What is not there any more cannot be hashed; but the laptop signed the chain after its push. */
static void check_reduced(struct verify *v, struct db_stmt *s) {
    struct slice chain = db_blob(s, 3), signature = db_blob(s, 5), key = db_blob(s, 6);
    if (chain.len == CHAIN_BYTES && (signature.len == 0 || key.len != SIGN_PUBLIC_BYTES)) return;
    if (chain.len == CHAIN_BYTES && signature.len == SIGN_BYTES &&
        sign_check(key.data, chain, signature.data))
        return;
    find(v, "journal: the signature is not over the chain at batch", db_int(s, 0), db_int(s, 1));
}

/* The chain of a copy goes on where that of the original stood. */
static enum status start_of(struct verify *v, int64_t device, int64_t *out_batch,
                            struct chain *out_chain, struct err *err) {
    struct db_stmt *s;
    bool row;
    *out_batch = 0;
    *out_chain = (struct chain){{0}};
    TRY(db_prepare(
        v->db,
        "WITH RECURSIVE was(device, batch, deep) AS (SELECT formerly, formerly_batch, 0 FROM device"
        " WHERE number = ?1 UNION ALL SELECT d.formerly, was.batch, deep + 1 FROM was JOIN device d"
        " ON d.number = was.device WHERE was.batch <= d.formerly_batch AND d.formerly > 0 AND deep "
        "<"
        " 16) SELECT j.batch, j.chain FROM was JOIN journal j ON j.device = was.device AND j.batch "
        "="
        " was.batch WHERE was.device > 0 ORDER BY deep DESC LIMIT 1",
        &s, err));
    db_bind_int(s, 1, device);
    TRY(db_step(s, &row, err));
    if (row) {
        *out_batch = db_int(s, 0);
        *out_chain = chain_of(db_blob(s, 1));
    }
    db_reset(s);
    return ST_OK;
}

static enum status check_journal(struct verify *v, struct err *err) {
    struct db_stmt *s;
    bool row;
    struct chain chain = {{0}};
    int64_t device = -1, batch = 0;
    TRY(db_prepare(
        v->db,
        "SELECT j.device, j.batch, j.bytes, j.chain, j.reduced, j.signature,"
        " d.public_key FROM journal j LEFT JOIN device d ON d.number = j.device ORDER BY j.device,"
        " j.batch",
        &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && go_on(v)) {
        if (db_int(s, 0) != device) TRY(start_of(v, db_int(s, 0), &batch, &chain, err));
        device = db_int(s, 0);
        if (db_int(s, 1) != batch + 1) {
            bool known;
            TRY(skip_missing(v, device, db_int(s, 1) - 1, &chain, &known, err));
            if (!known) find(v, "journal: a batch is missing before", device, db_int(s, 1));
        }
        batch = db_int(s, 1);
        chain = chain_next(&chain, db_blob(s, 2));
        struct chain kept = chain_of(db_blob(s, 3));
        if (db_int(s, 4) != JOURNAL_WHOLE)
            check_reduced(v, s);
        else if (memcmp(kept.bytes, chain.bytes, CHAIN_BYTES) != 0)
            find(v, "journal: the chain of a device breaks at batch", device, batch);
        chain = kept;
        status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

static enum status check_devices(struct verify *v, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(
        v->db,
        "SELECT d.number, d.last_batch FROM device d LEFT JOIN journal j ON j.device = d.number"
        " AND j.batch = d.last_batch WHERE d.last_batch > d.formerly_batch AND (j.chain IS NULL OR "
        "j.chain <> "
        "d.chain) AND NOT EXISTS(SELECT 1 FROM missing m WHERE m.device = d.number AND m.last = "
        "d.last_batch AND m.chain = d.chain)",
        &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        find(v, "device: its last batch is not the journal's", db_int(s, 0), db_int(s, 1));
        status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

/* ------------------------------------------------------------------ rows */

static enum status check_clock(struct verify *v, int64_t id, int64_t seq, struct slice bytes,
                               struct arena *mem, struct err *err) {
    struct row_clock clock;
    enum status status = row_clock_read(bytes, mem, &clock, NULL);
    if (status == ST_NO_MEMORY) return err_no_memory(err);
    if (status != ST_OK) find(v, "row: its clocks cannot be read", id, seq);
    if (status != ST_OK) return ST_OK;
    if (clock.row.seq > seq) find(v, "row: a clock is ahead of its seq", id, clock.row.seq);
    for (size_t i = 0; i < clock.count; i++)
        if (clock.cells[i].clock.seq > seq)
            find(v, "row: the clock of a cell is ahead of its seq", id, seq);
    return ST_OK;
}

static enum status check_row(struct verify *v, const struct entity *e, struct db_stmt *s,
                             struct arena *mem, struct err *err) {
    int64_t id = db_int(s, 0), seq = db_int(s, 1);
    if (db_is_null(s, 4) || db_int(s, 4) != id || db_int(s, 5) != (int64_t)e->tag)
        find(v, "row: the log does not name it at its seq", id, seq);
    if (!db_is_null(s, 2) && db_int(s, 2) > seq) find(v, "row: taken after its seq", id, seq);
    return check_clock(v, id, seq, db_blob(s, 3), mem, err);
}

static enum status check_entity(struct verify *v, const struct entity *e, struct err *err) {
    struct db_stmt *s;
    bool row;
    struct arena mem = arena_new(VERIFY_SCRATCH);
    SCOPED(buf_free) struct buf sql = buf_new(BUF_MAX_LINE);
    buf_printf(&sql,
               "SELECT r.id, r._seq, r._dead, r._clock, l.row, l.entity FROM \"r_%s\" r"
               " LEFT JOIN log l ON l.seq = r._seq",
               e->name);
    TRY(buf_status(&sql, err));
    TRY(db_prepare(v->db, buf_text(&sql), &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && go_on(v)) {
        arena_clear(&mem);
        status = check_row(v, e, s, &mem, err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    arena_clear(&mem);
    return status;
}

/* ------------------------------------------------------------------ all */

static enum status count_total(struct verify *v, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(
        v->db,
        "SELECT coalesce((SELECT max(seq) FROM log), 0) * 2 + (SELECT count(*) FROM journal)", &s,
        err));
    TRY(db_step(s, &row, err));
    v->total = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

static enum status check_all(struct verify *v, struct err *err) {
    TRY(count_total(v, err));
    TRY(check_log(v, err));
    TRY(check_journal(v, err));
    TRY(check_devices(v, err));
    for (size_t i = 0; i < v->cat->count && !v->stopped; i++)
        TRY(check_entity(v, &v->cat->entities[i], err));
    if (v->stopped) return err_set(err, ST_CANCELLED, "stopped", "已停止");
    return buf_status(v->out, err);
}

enum status centre_verify(struct store *store, struct buf *out_findings, struct err *err) {
    struct verify v = {.db = store->db, .cat = store->cat, .out = out_findings};
    return check_all(&v, err);
}

enum status centre_verify_all(struct centre *c, store_progress *progress, void *ctx,
                              struct buf *out_findings, struct err *err) {
    struct verify v = {
        .db = c->db, .cat = c->cat, .out = out_findings, .progress = progress, .ctx = ctx};
    TRY(centre_begin(c, false, err));
    enum status status = check_all(&v, err);
    if (status == ST_OK && !v.stopped) status = centre_digests_verify(c, out_findings, err);
    if (status == ST_OK) status = centre_orders_verify(c, out_findings, err);
    if (status == ST_OK) status = centre_keys_verify(c, out_findings, err);
    centre_end(c);
    return status;
}
