/* The log, one row per seq, chained; and the journal of batches with what became of them. */
#include "syncd/store/centre_private.h"

#include <string.h>

/* ------------------------------------------------------------------ log */

static uint8_t *put_number(uint8_t *at, uint64_t number, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) at[i] = (uint8_t)(number >> (8 * i));
    return at + bytes;
}

/* Fixed width, least byte first: seq, time, kind, entity, row, device, batch, change, outcome. */
struct chain log_chain(const struct chain *before, const struct log_entry *e) {
    uint8_t bytes[8 + 8 + 1 + 4 + 8 + 4 + 4 + 4 + 1], *at = bytes;
    at = put_number(at, (uint64_t)e->seq, 8);
    at = put_number(at, (uint64_t)e->time_ms, 8);
    at = put_number(at, (uint64_t)e->kind, 1);
    at = put_number(at, e->entity_tag, 4);
    at = put_number(at, (uint64_t)e->row, 8);
    at = put_number(at, e->device, 4);
    at = put_number(at, e->batch, 4);
    at = put_number(at, e->change, 4);
    put_number(at, (uint64_t)e->outcome, 1);
    return chain_next(before, slice_of(bytes, sizeof bytes));
}

/* Count of homes, each as the difference to the one before; then those left, likewise. */
static void write_homes(const struct homes *homes, struct buf *out) {
    int64_t before = 0;
    for (size_t i = 0; i < homes->count; i++) {
        buf_put_varint(out, (uint64_t)(homes->at[i] - before));
        before = homes->at[i];
    }
}

void log_homes_write(const struct log_homes *homes, struct buf *out) {
    buf_put_varint(out, homes->at.count);
    write_homes(&homes->at, out);
    write_homes(&homes->left, out);
}

static bool read_homes(struct reader *r, size_t count, bool to_end, struct homes *out) {
    int64_t home = 0;
    *out = (struct homes){.count = 0};
    for (size_t i = 0; to_end ? reader_left(r) > 0 : i < count; i++) {
        home += (int64_t)reader_varint(r);
        if (r->failed || i == ROW_HOMES_MAX || !home_is_valid(home)) return false;
        out->at[out->count++] = home;
    }
    return true;
}

bool log_homes_read(struct slice bytes, struct log_homes *out) {
    struct reader r = reader_of(bytes);
    if (bytes.len == 0) return false;
    uint64_t count = reader_varint(&r);
    return !r.failed && count <= ROW_HOMES_MAX && read_homes(&r, (size_t)count, false, &out->at) &&
           read_homes(&r, 0, true, &out->left);
}

/* An open org keeps no homes: the column stays away from its statement. */
static enum status prepare_add(struct centre *c, const struct log_entry *e, struct buf *homes,
                               struct db_stmt **out, struct err *err) {
    if (!e->homes)
        return db_prepare(c->db,
                          "INSERT INTO log(seq, time_ms, chain, kind, entity, row, device, batch, "
                          "change, outcome)"
                          " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                          out, err);
    log_homes_write(e->homes, homes);
    TRY(buf_status(homes, err));
    TRY(db_prepare(
        c->db,
        "INSERT INTO log(seq, time_ms, chain, kind, entity, row, device, batch, change, outcome,"
        " homes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        out, err));
    db_bind_blob(*out, 11, buf_slice(homes));
    return ST_OK;
}

enum status centre_log_add(struct centre *c, const struct log_entry *e, struct err *err) {
    struct db_stmt *s;
    SCOPED(buf_free) struct buf homes = buf_new(BUF_MAX_LINE);
    struct chain chain = log_chain(&c->head.position.chain, e);
    if (e->seq != centre_next_seq(c))
        return err_set(err, ST_INTERNAL, "the log has no place for seq %lld",
                       "日志中没有序号 %lld 的位置", (long long)e->seq);
    TRY(prepare_add(c, e, &homes, &s, err));
    db_bind_int(s, 1, e->seq);
    db_bind_int(s, 2, e->time_ms);
    db_bind_blob(s, 3, slice_of(chain.bytes, CHAIN_BYTES));
    db_bind_int(s, 4, (int64_t)e->kind);
    db_bind_int(s, 5, e->entity_tag);
    db_bind_int(s, 6, e->row);
    db_bind_int(s, 7, e->device);
    db_bind_int(s, 8, e->batch);
    db_bind_int(s, 9, e->change);
    db_bind_int(s, 10, (int64_t)e->outcome);
    TRY(db_run(s, err));
    c->head.position = (struct position){e->seq, chain};
    c->head.time_ms = e->time_ms;
    return ST_OK;
}

void log_entry_take(struct db_stmt *s, struct log_entry *out) {
    *out = (struct log_entry){.seq = db_int(s, 0),
                              .time_ms = db_int(s, 1),
                              .kind = (enum log_kind)db_int(s, 2),
                              .entity_tag = (uint32_t)db_int(s, 3),
                              .row = db_int(s, 4),
                              .device = (uint32_t)db_int(s, 5),
                              .batch = (uint32_t)db_int(s, 6),
                              .change = (uint32_t)db_int(s, 7),
                              .outcome = (enum outcome)db_int(s, 8)};
}

enum status centre_log_entry(struct centre *c, int64_t seq, struct log_entry *out,
                             struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, "SELECT " LOG_COLUMNS " FROM log WHERE seq = ?", &s, err));
    db_bind_int(s, 1, seq);
    TRY(db_step(s, &row, err));
    if (row) log_entry_take(s, out);
    db_reset(s);
    if (row) return ST_OK;
    return err_set(err, ST_NOT_FOUND, "the log has no seq %lld", "日志中没有序号 %lld",
                   (long long)seq);
}

enum status centre_log_time(struct centre *c, int64_t seq, int64_t *out_time_ms, struct err *err) {
    struct db_stmt *s;
    bool row = true;
    if (seq != c->timed_seq || seq == 0) { /* edits of a day mostly share their base */
        TRY(db_prepare(c->db, "SELECT time_ms FROM log WHERE seq = ?", &s, err));
        db_bind_int(s, 1, seq);
        TRY(db_step(s, &row, err));
        c->timed_ms = row ? db_int(s, 0) : 0;
        c->timed_seq = row ? seq : 0;
        db_reset(s);
    }
    *out_time_ms = row ? c->timed_ms : 0;
    return ST_OK;
}

enum status centre_log_chain(struct centre *c, int64_t seq, struct chain *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    if (!c->head_is_known) TRY(centre_refresh(c, err));
    if (seq == c->head.position.seq) {
        *out = c->head.position.chain;
        return ST_OK;
    }
    if (seq == 0) {
        *out = (struct chain){{0}};
        return ST_OK;
    }
    TRY(db_prepare(c->db, "SELECT chain FROM log WHERE seq = ?", &s, err));
    db_bind_int(s, 1, seq);
    TRY(db_step(s, &row, err));
    if (row) *out = chain_of(db_blob(s, 0));
    db_reset(s);
    if (row) return ST_OK;
    return err_set(err, ST_NOT_FOUND, "the log has no seq %lld", "日志中没有序号 %lld",
                   (long long)seq);
}

enum status centre_log_walk(struct centre *c, int64_t after, centre_log_row *each, void *ctx,
                            struct err *err) {
    struct db_stmt *s;
    bool row, stop = false;
    TRY(db_prepare(c->db, "SELECT " LOG_COLUMNS ", homes FROM log WHERE seq > ? ORDER BY seq", &s,
                   err));
    db_bind_int(s, 1, after);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && !stop) {
        struct log_entry entry;
        struct log_homes homes;
        log_entry_take(s, &entry);
        if (log_homes_read(db_blob(s, LOG_COLUMN_COUNT), &homes)) entry.homes = &homes;
        status = each(ctx, &entry, &stop, err);
        if (status == ST_OK && !stop) status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

/* ------------------------------------------------------------------ outcomes as bytes */

enum { OUTCOME_EDITS_MAX = 65536, OUTCOME_CHANGES_MAX = 65536 };

static void put_verdict(struct buf *out, enum outcome outcome, enum reason reason) {
    buf_put_byte(out, (uint8_t)((unsigned)outcome | (unsigned)reason << 3));
}

static void outcomes_write(const struct outcome_change *changes, size_t count, struct buf *out) {
    buf_put_varint(out, count);
    int64_t seq = 0, row = 0;
    for (size_t i = 0; i < count; i++) {
        const struct outcome_change *c = &changes[i];
        put_verdict(out, c->outcome, c->reason);
        buf_put_signed(out, c->row - row);
        buf_put_signed(out, c->seq - seq);
        buf_put_varint(out, (uint64_t)c->prev);
        row = c->row;
        seq = c->seq;
        bool alike = true;
        for (size_t e = 0; e < c->edit_count; e++)
            alike = alike && c->edits[e].outcome == c->outcome && c->edits[e].reason == c->reason;
        buf_put_varint(out, (uint64_t)c->edit_count << 1 | alike);
        for (size_t e = 0; e < c->edit_count && !alike; e++)
            put_verdict(out, c->edits[e].outcome, c->edits[e].reason);
    }
}

static void take_verdict(struct reader *r, enum outcome *outcome, enum reason *reason) {
    unsigned byte = reader_byte(r);
    if ((byte & 7) >= OUTCOME_COUNT || byte >> 3 >= REASON_COUNT) r->failed = true;
    *outcome = (enum outcome)(byte & 7);
    *reason = (enum reason)(byte >> 3);
}

static enum status take_outcome(struct reader *r, const struct outcome_change *before,
                                struct arena *mem, struct outcome_change *c, struct err *err) {
    take_verdict(r, &c->outcome, &c->reason);
    c->row = before->row + reader_signed(r);
    c->seq = before->seq + reader_signed(r);
    c->prev = (int64_t)reader_varint_max(r, INT64_MAX);
    uint64_t head = reader_varint_max(r, OUTCOME_EDITS_MAX * 2);
    c->edit_count = (size_t)(head >> 1);
    c->edits = ARENA_ARRAY(mem, c->edit_count + 1, struct outcome_edit);
    if (!c->edits) return err_no_memory(err);
    for (size_t e = 0; e < c->edit_count; e++) {
        c->edits[e] = (struct outcome_edit){c->outcome, c->reason};
        if (!(head & 1)) take_verdict(r, &c->edits[e].outcome, &c->edits[e].reason);
    }
    return ST_OK;
}

static enum status outcomes_read(struct slice bytes, struct arena *mem, struct journal_entry *out,
                                 struct err *err) {
    struct reader r = reader_of(bytes);
    size_t count = (size_t)reader_varint_max(&r, OUTCOME_CHANGES_MAX);
    struct outcome_change *changes = ARENA_ARRAY(mem, count + 1, struct outcome_change), zero = {0};
    if (!changes) return err_no_memory(err);
    for (size_t i = 0; i < count && !r.failed; i++)
        TRY(take_outcome(&r, i ? &changes[i - 1] : &zero, mem, &changes[i], err));
    if (!reader_done(&r)) return err_set(err, ST_DAMAGED, "the journal is damaged", "日志簿已损坏");
    out->outcomes = changes;
    out->outcome_count = count;
    return ST_OK;
}

/* ------------------------------------------------------------------ journal */

static enum status insert_journal(struct centre *c, const struct journal_entry *e,
                                  struct slice outcomes, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO journal(device, batch, bytes, signature, chain, first_seq, "
                   "last_seq, received_ms,"
                   " person, outcomes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   &s, err));
    db_bind_int(s, 1, e->device);
    db_bind_int(s, 2, e->batch);
    db_bind_blob(s, 3, e->bytes);
    if (e->signature.len > 0)
        db_bind_blob(s, 4, e->signature);
    else
        db_bind_null(s, 4);
    db_bind_blob(s, 5, slice_of(e->chain.bytes, CHAIN_BYTES));
    db_bind_int(s, 6, e->first_seq);
    db_bind_int(s, 7, e->last_seq);
    db_bind_int(s, 8, e->received_ms);
    if (e->person.len > 0)
        db_bind_text(s, 9, e->person);
    else
        db_bind_null(s, 9);
    db_bind_blob(s, 10, outcomes);
    return db_run(s, err);
}

enum status centre_device_moved(struct centre *c, uint32_t device, uint32_t batch,
                                const struct chain *chain, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, "UPDATE device SET last_batch = ?, chain = ? WHERE number = ?", &s, err));
    db_bind_int(s, 1, batch);
    db_bind_blob(s, 2, slice_of(chain->bytes, CHAIN_BYTES));
    db_bind_int(s, 3, device);
    TRY(db_run(s, err));
    struct centre_device *kept = c->devices[device % CENTRE_DEVICES_KEPT];
    if (kept && kept->number == device) {
        kept->last_batch = batch;
        kept->chain = *chain;
    }
    return ST_OK;
}

enum status centre_journal_add(struct centre *c, const struct journal_entry *e, struct err *err) {
    SCOPED(buf_free) struct buf outcomes = buf_new(BUF_MAX_MESSAGE);
    outcomes_write(e->outcomes, e->outcome_count, &outcomes);
    TRY(buf_status(&outcomes, err));
    return insert_journal(c, e, buf_slice(&outcomes), err);
}

static enum status take_journal(struct db_stmt *s, struct arena *mem, struct journal_entry *out,
                                struct err *err) {
    out->bytes = arena_copy(mem, db_blob(s, 0));
    out->signature = arena_copy(mem, db_blob(s, 1));
    out->chain = chain_of(db_blob(s, 2));
    out->first_seq = db_int(s, 3);
    out->last_seq = db_int(s, 4);
    out->received_ms = db_int(s, 5);
    out->person = arena_copy(mem, db_text(s, 6));
    out->reduced = (enum journal_reduced)db_int(s, 8);
    if (!out->bytes.data || !out->signature.data || !out->person.data) return err_no_memory(err);
    return outcomes_read(db_blob(s, 7), mem, out, err);
}

static enum status no_batch(uint32_t device, uint32_t batch, struct err *err) {
    return err_set(err, ST_NOT_FOUND, "the journal has no batch %u of device %u",
                   "日志簿中没有第 %u 批（设备 %u）", (unsigned)batch, (unsigned)device);
}

enum status centre_journal(struct centre *c, uint32_t device, uint32_t batch, struct arena *mem,
                           struct journal_entry *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(centre_device_then(c, &device, batch, err));
    struct journal_entry entry = {.device = device, .batch = batch};
    TRY(db_prepare(
        c->db,
        "SELECT bytes, signature, chain, first_seq, last_seq, received_ms, person, outcomes,"
        " reduced FROM journal WHERE device = ? AND batch = ?",
        &s, err));
    db_bind_int(s, 1, device);
    db_bind_int(s, 2, batch);
    TRY(db_step(s, &row, err));
    enum status status = row ? take_journal(s, mem, &entry, err) : no_batch(device, batch, err);
    db_reset(s);
    if (status == ST_OK) *out = entry;
    return status;
}

enum status centre_journal_chain(struct centre *c, uint32_t device, uint32_t batch,
                                 struct chain *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(centre_device_then(c, &device, batch, err));
    TRY(db_prepare(c->db,
                   "SELECT chain FROM journal WHERE device = ?1 AND batch = ?2"
                   " UNION ALL SELECT chain FROM missing WHERE device = ?1 AND last = ?2",
                   &s, err));
    db_bind_int(s, 1, device);
    db_bind_int(s, 2, batch);
    TRY(db_step(s, &row, err));
    if (row) *out = chain_of(db_blob(s, 0));
    db_reset(s);
    return row ? ST_OK : no_batch(device, batch, err);
}
