/* What lost, what was not taken, and what texts used to say. */
#include "syncd/store/centre_private.h"

#include <string.h>

/* ------------------------------------------------------------------ ledger */

static void write_values(const struct value *values, size_t count, struct buf *out) {
    if (values && count > 0) values_write(values, count, out);
}

static void bind_blob(struct db_stmt *s, int index, const struct buf *buf) {
    if (buf->len > 0)
        db_bind_blob(s, index, buf_slice(buf));
    else
        db_bind_null(s, index);
}

enum status centre_ledger_add(struct centre *c, const struct ledger_entry *e, struct err *err) {
    struct db_stmt *s;
    SCOPED(buf_free) struct buf loser = buf_new(BUF_MAX_MESSAGE);
    SCOPED(buf_free) struct buf winner = buf_new(BUF_MAX_MESSAGE);
    write_values(e->loser, e->value_count, &loser);
    write_values(e->winner, e->value_count, &winner);
    TRY(buf_status(&loser, err));
    TRY(buf_status(&winner, err));
    c->ledger_ord = c->ledger_seq == e->seq ? c->ledger_ord + 1 : 0;
    c->ledger_seq = e->seq;
    TRY(db_prepare(
        c->db,
        "INSERT INTO ledger(seq, ord, entity, row, cell, rule, base_seq, loser_device, loser_batch,"
        " loser_ms, winner_device, winner_ms, winner_is_new, loser, winner)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &s, err));
    db_bind_int(s, 1, e->seq);
    db_bind_int(s, 2, c->ledger_ord);
    db_bind_int(s, 3, e->entity_tag);
    db_bind_int(s, 4, e->row);
    db_bind_int(s, 5, e->cell_tag);
    db_bind_int(s, 6, (int64_t)e->rule);
    db_bind_int(s, 7, e->base_seq);
    db_bind_int(s, 8, e->loser_device);
    db_bind_int(s, 9, e->loser_batch);
    db_bind_int(s, 10, e->loser_time_ms);
    db_bind_int(s, 11, e->winner_device);
    db_bind_int(s, 12, e->winner_time_ms);
    db_bind_int(s, 13, e->winner_is_new);
    bind_blob(s, 14, &loser);
    bind_blob(s, 15, &winner);
    return db_run(s, err);
}

static enum status take_values(struct slice bytes, struct arena *mem, struct value **out,
                               size_t *out_count, struct err *err) {
    *out = NULL;
    if (bytes.len == 0) return ST_OK;
    struct slice copy = arena_copy(mem, bytes);
    if (!copy.data) return err_no_memory(err);
    return values_read(copy, mem, out, out_count, err);
}

static enum status take_ledger(struct db_stmt *s, struct arena *mem, struct ledger_entry *out,
                               struct err *err) {
    int64_t rule = db_int(s, 4);
    *out =
        (struct ledger_entry){.seq = db_int(s, 0),
                              .entity_tag = (uint32_t)db_int(s, 1),
                              .row = db_int(s, 2),
                              .cell_tag = (uint32_t)db_int(s, 3),
                              .rule = rule >= 0 && rule < RULE_COUNT ? (enum rule)rule : RULE_LAST,
                              .base_seq = db_int(s, 5),
                              .loser_device = (uint32_t)db_int(s, 6),
                              .loser_batch = (uint32_t)db_int(s, 7),
                              .loser_time_ms = db_int(s, 8),
                              .winner_device = (uint32_t)db_int(s, 9),
                              .winner_time_ms = db_int(s, 10),
                              .winner_is_new = db_int(s, 11) != 0};
    size_t losers = 0, winners = 0;
    TRY(take_values(db_blob(s, 12), mem, &out->loser, &losers, err));
    TRY(take_values(db_blob(s, 13), mem, &out->winner, &winners, err));
    if (losers != winners)
        return err_set(err, ST_DAMAGED, "the ledger is damaged", "冲突记录已损坏");
    out->value_count = losers;
    return ST_OK;
}

#define LEDGER_COLUMNS                                                                             \
    "seq, entity, row, cell, rule, base_seq, loser_device, loser_batch, loser_ms, winner_device,"  \
    " winner_ms, winner_is_new, loser, winner"

enum status centre_ledger(struct centre *c, int64_t after, int64_t to, int64_t row,
                          struct arena *mem, centre_ledger_row *each, void *ctx, struct err *err) {
    struct db_stmt *s;
    bool more;
    TRY(db_prepare(c->db,
                   row ? "SELECT " LEDGER_COLUMNS
                         " FROM ledger WHERE seq > ?1 AND seq <= ?2 AND row IN (SELECT ?3 UNION ALL"
                         " SELECT from_id FROM alias WHERE to_id = ?3)"
                         " ORDER BY seq, ord"
                       : "SELECT " LEDGER_COLUMNS " FROM ledger WHERE seq > ? AND seq <= ?"
                         " ORDER BY seq, ord",
                   &s, err));
    db_bind_int(s, 1, after);
    db_bind_int(s, 2, to);
    if (row) db_bind_int(s, 3, row);
    enum status status = db_step(s, &more, err);
    while (status == ST_OK && more) {
        struct ledger_entry entry;
        status = take_ledger(s, mem, &entry, err);
        if (status == ST_OK) status = each(ctx, &entry, err);
        if (status == ST_OK) status = db_step(s, &more, err);
    }
    db_reset(s);
    return status == ST_CANCELLED ? ST_OK : status;
}

/* ------------------------------------------------------------------ quarantine */

enum status centre_quarantine_add(struct centre *c, const struct quarantine_entry *e,
                                  struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(
        c->db,
        "INSERT INTO quarantine(device, batch, change, cell, seq, time_ms, entity, row, base_seq,"
        " base_own, outcome, reason, state, state_seq, content)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        &s, err));
    db_bind_int(s, 1, e->device);
    db_bind_int(s, 2, e->id.batch);
    db_bind_int(s, 3, e->id.change);
    db_bind_int(s, 4, e->id.cell_tag);
    db_bind_int(s, 5, e->seq);
    db_bind_int(s, 6, e->time_ms);
    db_bind_int(s, 7, e->entity_tag);
    db_bind_int(s, 8, e->row);
    db_bind_int(s, 9, e->base.seq);
    db_bind_int(s, 10, e->base.own);
    db_bind_int(s, 11, (int64_t)e->outcome);
    db_bind_int(s, 12, (int64_t)e->reason);
    db_bind_int(s, 13, (int64_t)e->state);
    db_bind_int(s, 14, e->state_seq);
    db_bind_blob(s, 15, e->content);
    return db_run(s, err);
}

#define QUARANTINE_COLUMNS                                                                         \
    "device, batch, change, cell, seq, time_ms, entity, row, base_seq, base_own, outcome, "        \
    "reason, state,"                                                                               \
    " state_seq, content"

static enum status take_quarantine(struct db_stmt *s, struct arena *mem,
                                   struct quarantine_entry *out, struct err *err) {
    *out = (struct quarantine_entry){
        .device = (uint32_t)db_int(s, 0),
        .id = {(uint32_t)db_int(s, 1), (uint32_t)db_int(s, 2), (uint32_t)db_int(s, 3)},
        .seq = db_int(s, 4),
        .time_ms = db_int(s, 5),
        .entity_tag = (uint32_t)db_int(s, 6),
        .row = db_int(s, 7),
        .base = {db_int(s, 8), (uint32_t)db_int(s, 9)},
        .outcome = (enum outcome)db_int(s, 10),
        .reason = (enum reason)db_int(s, 11),
        .state = (enum held_state)db_int(s, 12),
        .state_seq = db_int(s, 13),
        .content = arena_copy(mem, db_blob(s, 14))};
    return out->content.data ? ST_OK : err_no_memory(err);
}

static void bind_id(struct db_stmt *s, int index, uint32_t device, const struct refusal_id *id) {
    db_bind_int(s, index, device);
    db_bind_int(s, index + 1, id->batch);
    db_bind_int(s, index + 2, id->change);
    db_bind_int(s, index + 3, id->cell_tag);
}

enum status centre_quarantine(struct centre *c, uint32_t device, const struct refusal_id *id,
                              struct arena *mem, struct quarantine_entry *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(centre_device_then(c, &device, id->batch, err));
    TRY(db_prepare(c->db,
                   "SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE device = ? AND batch = ?"
                   " AND change = ? AND cell = ?",
                   &s, err));
    bind_id(s, 1, device, id);
    TRY(db_step(s, &row, err));
    enum status status =
        row ? take_quarantine(s, mem, out, err)
            : err_set(err, ST_NOT_FOUND, "quarantine has no such entry", "待处理区没有此项");
    db_reset(s);
    return status;
}

enum status centre_quarantine_closed(struct centre *c, int64_t seq, struct arena *mem,
                                     struct quarantine_entry *out, bool *out_found,
                                     struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "SELECT " QUARANTINE_COLUMNS " FROM quarantine WHERE state_seq = ? LIMIT 1", &s,
                   err));
    db_bind_int(s, 1, seq);
    TRY(db_step(s, out_found, err));
    enum status status = *out_found ? take_quarantine(s, mem, out, err) : ST_OK;
    db_reset(s);
    return status;
}

enum status centre_quarantine_find(struct centre *c, uint32_t device, uint32_t batch, int64_t row,
                                   uint32_t cell_tag, struct base *out_base, bool *out_found,
                                   struct err *err) {
    struct db_stmt *s;
    bool found;
    TRY(centre_device_then(c, &device, batch, err));
    TRY(db_prepare(
        c->db,
        "SELECT base_seq, base_own FROM quarantine WHERE device = ? AND batch = ? AND row = ?"
        " AND cell = ? ORDER BY change DESC LIMIT 1",
        &s, err));
    db_bind_int(s, 1, device);
    db_bind_int(s, 2, batch);
    db_bind_int(s, 3, row);
    db_bind_int(s, 4, cell_tag);
    TRY(db_step(s, &found, err));
    if (found) *out_base = (struct base){db_int(s, 0), (uint32_t)db_int(s, 1)};
    db_reset(s);
    *out_found = found;
    return ST_OK;
}

enum status centre_quarantine_close(struct centre *c, uint32_t device, const struct refusal_id *id,
                                    enum held_state state, int64_t seq, bool *out_closed,
                                    struct err *err) {
    struct db_stmt *s;
    TRY(centre_device_then(c, &device, id->batch, err));
    TRY(db_prepare(c->db,
                   "UPDATE quarantine SET state = ?, state_seq = ? WHERE device = ? AND batch = ?"
                   " AND change = ? AND cell = ? AND state = 0",
                   &s, err));
    db_bind_int(s, 1, (int64_t)state);
    db_bind_int(s, 2, seq);
    bind_id(s, 3, device, id);
    TRY(db_run(s, err));
    *out_closed = db_changes(c->db) > 0;
    return ST_OK;
}

static enum status each_entry(struct centre *c, const char *sql, int64_t row, struct arena *mem,
                              centre_quarantine_row *each, void *ctx, struct err *err) {
    struct db_stmt *s;
    bool found;
    TRY(db_prepare(c->db, sql, &s, err));
    if (row) db_bind_int(s, 1, row);
    enum status status = db_step(s, &found, err);
    while (status == ST_OK && found) {
        struct quarantine_entry entry;
        status = take_quarantine(s, mem, &entry, err);
        if (status == ST_OK) status = each(ctx, &entry, err);
        if (status == ST_OK) status = db_step(s, &found, err);
    }
    db_reset(s);
    return status;
}

enum status centre_quarantine_list(struct centre *c, bool also_closed, struct arena *mem,
                                   centre_quarantine_row *each, void *ctx, struct err *err) {
    const char *sql = also_closed ? "SELECT " QUARANTINE_COLUMNS
                                    " FROM quarantine ORDER BY seq, cell"
                                  : "SELECT " QUARANTINE_COLUMNS
                                    " FROM quarantine WHERE state = 0 ORDER BY seq, cell";
    return each_entry(c, sql, 0, mem, each, ctx, err);
}

/* 11: REASON_DENIED. As the index has it. */
#define DENIED_WHERE " FROM quarantine WHERE state = 0 AND reason = 11"

enum status centre_quarantine_denied(struct centre *c, int64_t row, struct arena *mem,
                                     centre_quarantine_row *each, void *ctx, struct err *err) {
    const char *sql = row ? "SELECT " QUARANTINE_COLUMNS DENIED_WHERE
                            " AND row IN (SELECT ?1 UNION ALL SELECT from_id FROM alias"
                            " WHERE to_id = ?1)"
                          : "SELECT " QUARANTINE_COLUMNS DENIED_WHERE " ORDER BY seq, cell";
    _Static_assert(REASON_DENIED == 11, "the index and its query say so");
    return each_entry(c, sql, row, mem, each, ctx, err);
}

/* Of the device, and of the one of which its book was a copy, as far as they are the same. */
#define NEWS_WHERE                                                                                 \
    " FROM quarantine WHERE state_seq > 0 AND state_seq > ?2 AND state_seq <= ?3 AND (device = ?1" \
    " OR (device = ?4 AND batch <= ?5))"

static enum status bind_news(struct centre *c, struct db_stmt *s, uint32_t device, int64_t after,
                             int64_t to, struct err *err) {
    struct centre_device d;
    TRY(centre_device(c, device, &d, err));
    db_bind_int(s, 1, device);
    db_bind_int(s, 2, after);
    db_bind_int(s, 3, to);
    db_bind_int(s, 4, d.formerly ? (int64_t)d.formerly : -1);
    db_bind_int(s, 5, d.formerly_batch);
    return ST_OK;
}

static enum status count_news(struct centre *c, uint32_t device, int64_t after, int64_t to,
                              size_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, "SELECT count(*)" NEWS_WHERE, &s, err));
    TRY(bind_news(c, s, device, after, to, err));
    TRY(db_step(s, &row, err));
    *out = row ? (size_t)db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status centre_held_news(struct centre *c, uint32_t device, int64_t after, int64_t to,
                             struct arena *mem, struct held_news **out, size_t *out_count,
                             struct err *err) {
    struct db_stmt *s;
    bool row;
    size_t count, at = 0;
    TRY(count_news(c, device, after, to, &count, err));
    struct held_news *news = ARENA_ARRAY(mem, count + 1, struct held_news);
    if (!news) return err_no_memory(err);
    TRY(db_prepare(c->db,
                   "SELECT state_seq, batch, change, cell, state" NEWS_WHERE
                   " ORDER BY state_seq, batch, change, cell",
                   &s, err));
    TRY(bind_news(c, s, device, after, to, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && at < count) {
        news[at++] = (struct held_news){
            .seq = db_int(s, 0),
            .id = {(uint32_t)db_int(s, 1), (uint32_t)db_int(s, 2), (uint32_t)db_int(s, 3)},
            .state = (enum held_state)db_int(s, 4)};
        status = db_step(s, &row, err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out = news;
    *out_count = at;
    return ST_OK;
}

/* ------------------------------------------------------------------ what came late */

enum status centre_late_add(struct centre *c, const struct centre_late *late, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT OR REPLACE INTO late(seq, time_ms, device, batch, change, entity, row)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?)",
                   &s, err));
    const int64_t numbers[] = {late->seq,    late->time_ms,    late->device, late->batch,
                               late->change, late->entity_tag, late->row};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(s, (int)i + 1, numbers[i]);
    return db_run(s, err);
}

enum status centre_late(struct centre *c, int64_t after, centre_late_row *each, void *ctx,
                        struct err *err) {
    struct db_stmt *s;
    bool found;
    TRY(db_prepare(c->db,
                   "SELECT seq, time_ms, device, batch, change, entity, row FROM late"
                   " WHERE seq > ? ORDER BY seq",
                   &s, err));
    db_bind_int(s, 1, after);
    enum status status = db_step(s, &found, err);
    while (status == ST_OK && found) {
        struct centre_late late = {.seq = db_int(s, 0),
                                   .time_ms = db_int(s, 1),
                                   .device = (uint32_t)db_int(s, 2),
                                   .batch = (uint32_t)db_int(s, 3),
                                   .change = (uint32_t)db_int(s, 4),
                                   .entity_tag = (uint32_t)db_int(s, 5),
                                   .row = db_int(s, 6)};
        status = each(ctx, &late, err);
        if (status == ST_OK) status = db_step(s, &found, err);
    }
    db_reset(s);
    return status;
}

/* ------------------------------------------------------------------ old versions of texts */

enum status centre_text_keep(struct centre *c, int64_t row, uint32_t cell_tag, int64_t seq,
                             struct value text, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO text_version(row, cell, seq, body) VALUES (?, ?, ?, ?)"
                   " ON CONFLICT DO NOTHING",
                   &s, err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, cell_tag);
    db_bind_int(s, 3, seq);
    if (text.kind == VALUE_TEXT)
        db_bind_text(s, 4, text.text);
    else
        db_bind_null(s, 4);
    return db_run(s, err);
}

enum status centre_text_at(struct centre *c, int64_t row, uint32_t cell_tag, int64_t seq,
                           struct arena *mem, struct value *out, bool *out_found, struct err *err) {
    struct db_stmt *s;
    bool found;
    struct slice body = {0};
    TRY(db_prepare(c->db,
                   "SELECT body FROM text_version WHERE row = ? AND cell = ? AND seq <= ?"
                   " ORDER BY seq DESC LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, cell_tag);
    db_bind_int(s, 3, seq);
    TRY(db_step(s, &found, err));
    if (found) body = arena_copy(mem, db_text(s, 0));
    db_reset(s);
    if (found && !body.data) return err_no_memory(err);
    *out = value_text(body);
    *out_found = found;
    return ST_OK;
}

/* ------------------------------------------------------------------ deletes of dead rows */

enum status centre_delete_also(struct centre *c, int64_t unit, int64_t seq, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db, "INSERT INTO delete_also(unit, seq) VALUES (?, ?)", &s, err));
    db_bind_int(s, 1, unit);
    db_bind_int(s, 2, seq);
    return db_run(s, err);
}

enum status centre_deletes_of(struct centre *c, int64_t unit, struct arena *mem, int64_t **out_seqs,
                              size_t *out_count, struct err *err) {
    struct db_stmt *s;
    bool row;
    enum { DELETES_MAX = 1000 }; /* of one dead row, for the ledger; more tell nothing new */
    int64_t *seqs = ARENA_ARRAY(mem, DELETES_MAX, int64_t);
    size_t count = 0;
    if (!seqs) return err_no_memory(err);
    TRY(db_prepare(c->db, "SELECT seq FROM delete_also WHERE unit = ? ORDER BY seq", &s, err));
    db_bind_int(s, 1, unit);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row && count < DELETES_MAX) {
        seqs[count++] = db_int(s, 0);
        status = db_step(s, &row, err);
    }
    db_reset(s);
    if (status != ST_OK) return status;
    *out_seqs = seqs;
    *out_count = count;
    return ST_OK;
}
