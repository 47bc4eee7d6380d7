/* Rows of a forgotten life, as laptops told them: claims, until head office takes them (lives.h).
 */
#include "syncd/store/centre_private.h"
#include "syncd/store/lives.h"

static enum status number(struct centre *c, const char *sql, int64_t a, int64_t b, int64_t *out,
                          struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db, sql, &s, err));
    if (db_parameter_count(s) > 0) db_bind_int(s, 1, a);
    if (db_parameter_count(s) > 1) db_bind_int(s, 2, b);
    TRY(db_step(s, &row, err));
    *out = row && !db_is_null(s, 0) ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status centre_fact_put(struct centre *c, const struct centre_fact *fact, struct err *err) {
    struct db_stmt *s;
    int64_t count;
    TRY(number(c, "SELECT count(*) FROM former_row WHERE device = ?", fact->device, 0, &count,
               err));
    if (count >= CENTRE_FACTS_OF_DEVICE_MAX) return ST_OK;
    TRY(db_prepare(c->db,
                   "INSERT INTO former_row(device, row, seq, entity, back, content, life)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(device, row, life) DO UPDATE SET"
                   " seq = excluded.seq, entity = excluded.entity, back = excluded.back,"
                   " content = excluded.content",
                   &s, err));
    const int64_t numbers[] = {fact->device, fact->row, fact->seq, fact->entity_tag, fact->back};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) db_bind_int(s, (int)i + 1, numbers[i]);
    db_bind_blob(s, 6, fact->content);
    db_bind_int(s, 7, fact->seq / EPOCH_SEQS);
    return db_run(s, err);
}

/* Of each row the latest life first, and of that what is newest; of equal ones that of the first
 * laptop that is trusted. */
enum status centre_fact_next(struct centre *c, uint32_t device, const struct centre_fact *after,
                             struct arena *mem, struct centre_fact *out, bool *out_found,
                             struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "SELECT device, row, seq, entity, back, content FROM former_row"
                   " WHERE row >= ?1 AND (row > ?1 OR life < ?3) AND (?2 = 0 OR device = ?2)"
                   " ORDER BY row, life DESC, seq DESC, (SELECT d.revoked FROM device d"
                   " WHERE d.number = former_row.device), device LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, after->row);
    db_bind_int(s, 2, device);
    db_bind_int(s, 3, after->seq / EPOCH_SEQS);
    TRY(db_step(s, out_found, err));
    if (*out_found) {
        *out = (struct centre_fact){.device = (uint32_t)db_int(s, 0),
                                    .row = db_int(s, 1),
                                    .seq = db_int(s, 2),
                                    .entity_tag = (uint32_t)db_int(s, 3),
                                    .back = db_int(s, 4),
                                    .content = arena_copy(mem, db_blob(s, 5))};
    }
    db_reset(s);
    return *out_found && !out->content.data ? err_no_memory(err) : ST_OK;
}

enum status centre_fact_peers(struct centre *c, const struct centre_fact *fact, struct arena *mem,
                              struct slice out[CENTRE_FACT_PEERS_MAX], size_t *out_count,
                              struct err *err) {
    struct db_stmt *s;
    bool row;
    size_t count = 0;
    TRY(db_prepare(
        c->db, "SELECT content FROM former_row WHERE row = ? AND seq = ? AND device <> ? LIMIT ?",
        &s, err));
    db_bind_int(s, 1, fact->row);
    db_bind_int(s, 2, fact->seq);
    db_bind_int(s, 3, fact->device);
    db_bind_int(s, 4, CENTRE_FACT_PEERS_MAX);
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        out[count] = arena_copy(mem, db_blob(s, 0));
        if (!out[count++].data) status = err_no_memory(err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    *out_count = count;
    return status;
}

enum status centre_fact_drop(struct centre *c, uint32_t device, const struct centre_fact *fact,
                             struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(
        c->db, "DELETE FROM former_row WHERE row = ?1 AND life = ?2 AND (?3 = 0 OR device = ?3)",
        &s, err));
    db_bind_int(s, 1, fact->row);
    db_bind_int(s, 2, fact->seq / EPOCH_SEQS);
    db_bind_int(s, 3, device);
    return db_run(s, err);
}

static enum status drop_facts(struct centre *c, void *ctx, struct err *err) {
    const uint32_t *device = ctx;
    struct db_stmt *s;
    TRY(db_prepare(c->db, "DELETE FROM former_row WHERE ?1 = 0 OR device = ?1", &s, err));
    db_bind_int(s, 1, *device);
    return db_run(s, err);
}

enum status centre_facts_drop(struct centre *c, uint32_t device, struct err *err) {
    return centre_write(c, drop_facts, &device, err);
}

enum status centre_row_stood_below(struct centre *c, int64_t row, int64_t back, int64_t upto,
                                   bool *out, struct err *err) {
    struct db_stmt *s;
    bool found;
    TRY(db_prepare(c->db,
                   "SELECT 1 FROM log l JOIN old_seq o ON o.seq = l.seq AND o.cell = 0 WHERE"
                   " l.row = ?1 AND (l.kind <> 1 OR l.outcome <> 0) AND l.seq > ?2 AND"
                   " (o.old > ?3 OR o.old / ?4 <> ?3 / ?4) LIMIT 1",
                   &s, err));
    db_bind_int(s, 1, row);
    db_bind_int(s, 2, back);
    db_bind_int(s, 3, upto);
    db_bind_int(s, 4, EPOCH_SEQS);
    TRY(db_step(s, &found, err));
    db_reset(s);
    *out = !found;
    return ST_OK;
}

enum status centre_cell_is_mixed(struct centre *c, int64_t seq, uint32_t cell_tag, bool *out,
                                 struct err *err) {
    int64_t mixed;
    TRY(number(c, "SELECT 1 FROM fact_seq WHERE seq = ?1 AND cell = ?2 AND upto < 0", seq, cell_tag,
               &mixed, err));
    *out = mixed != 0;
    return ST_OK;
}

/* A column for both: below zero it is mixed, and -1 - upto. */
enum status centre_fact_mark(struct centre *c, int64_t seq, uint32_t cell_tag, int64_t upto,
                             bool mixed, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(c->db,
                   "INSERT INTO fact_seq(seq, cell, upto) VALUES (?, ?, ?) ON CONFLICT(seq, cell) "
                   "DO UPDATE SET upto = excluded.upto",
                   &s, err));
    db_bind_int(s, 1, seq);
    db_bind_int(s, 2, cell_tag);
    db_bind_int(s, 3, mixed ? -1 - upto : upto);
    return db_run(s, err);
}

enum status centre_fact_upto(struct centre *c, int64_t seq, uint32_t cell_tag, int64_t *out,
                             struct err *err) {
    return number(c,
                  "SELECT max(CASE WHEN upto < 0 THEN -1 - upto ELSE upto END) FROM fact_seq"
                  " WHERE seq = ?1 AND cell IN (0, ?2)",
                  seq, cell_tag, out, err);
}
