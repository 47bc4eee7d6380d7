/* Epochs, openings, where laptops part from the log, and what they gave back (lives.h). */
#include "syncd/store/lives.h"

#include <string.h>

#include "syncd/store/centre_private.h"

/* One statement with up to six numbers. */
static enum status prepare(struct centre *c, const char *sql, const int64_t *numbers, size_t count,
                           struct db_stmt **out, struct err *err) {
    TRY(db_prepare(c->db, sql, out, err));
    for (size_t i = 0; i < count; i++) db_bind_int(*out, (int)i + 1, numbers[i]);
    return ST_OK;
}

static enum status run(struct centre *c, const char *sql, const int64_t *numbers, size_t count,
                       struct err *err) {
    struct db_stmt *s;
    TRY(prepare(c, sql, numbers, count, &s, err));
    return db_run(s, err);
}
#define NUMBERS(...)                                                                               \
    ((const int64_t[]){__VA_ARGS__}), (sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

/* The first column of the first row; fallback without a row, or where it is NULL. */
static enum status ask(struct centre *c, const char *sql, const int64_t *numbers, size_t count,
                       int64_t fallback, int64_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(prepare(c, sql, numbers, count, &s, err));
    TRY(db_step(s, &row, err));
    *out = row && !db_is_null(s, 0) ? db_int(s, 0) : fallback;
    db_reset(s);
    return ST_OK;
}

/* ------------------------------------------------------------------ openings */

static enum status note_opening(struct centre *c, void *ctx, struct err *err) {
    int64_t seq = *(const int64_t *)ctx, pruned, epochs;
    TRY(meta_int(c->db, "epochs_since_opening", &epochs, err));
    if (epochs > 0) TRY(meta_int_set(c->db, "epochs_since_opening", 0, err));
    TRY(run(c, "INSERT INTO opening(seq, time_ms) VALUES (?, ?) ON CONFLICT(seq) DO NOTHING",
            NUMBERS(seq, centre_now(c)), err));
    TRY(ask(c, "SELECT seq FROM opening ORDER BY seq DESC LIMIT 1 OFFSET ?",
            NUMBERS(CENTRE_OPENINGS_KEPT), -1, &pruned, err));
    if (pruned < 0) return ST_OK;
    TRY(run(c, "DELETE FROM opening WHERE seq <= ?", NUMBERS(pruned), err));
    return meta_int_set(c->db, "openings_from", pruned + 1, err);
}

enum status centre_opening_note(struct centre *c, struct err *err) {
    struct centre_head head;
    int64_t known, epochs;
    TRY(centre_head(c, &head, err));
    TRY(ask(c, "SELECT 1 FROM opening WHERE seq = ?", NUMBERS(head.position.seq), 0, &known, err));
    TRY(meta_int(c->db, "epochs_since_opening", &epochs, err));
    return known && epochs == 0 ? ST_OK : centre_write(c, note_opening, &head.position.seq, err);
}

/* ------------------------------------------------------------------ epochs */

static enum status jump_ids(struct centre *c, struct err *err) {
    int64_t office, devices;
    TRY(meta_int(c->db, "office_counter", &office, err));
    TRY(ask(c, "SELECT max(number) FROM device", NULL, 0, 0, &devices, err));
    if (office < UINT32_MAX - CENTRE_OFFICE_IDS_JUMP) office += CENTRE_OFFICE_IDS_JUMP;
    TRY(meta_int_set(c->db, "office_counter", office, err));
    return meta_int_set(c->db, "devices_from", devices + CENTRE_DEVICES_JUMP, err);
}

static enum status count_epoch(struct centre *c, struct err *err) {
    int64_t begun;
    TRY(meta_int(c->db, "epochs_since_opening", &begun, err));
    if (begun >= CENTRE_EPOCHS_PER_OPENING)
        return err_set(
            err, ST_CONFLICT,
            "laptops say again and again that this server went back in time: restart it, and look "
            "which laptop says so",
            "多台电脑反复报告服务器数据已回退：请重启服务器并查明是哪台电脑");
    return meta_int_set(c->db, "epochs_since_opening", begun + 1, err);
}

enum status centre_epoch_begin(struct centre *c, int64_t epoch, struct err *err) {
    struct log_entry entry = {.seq = epoch_start(epoch),
                              .time_ms = centre_now(c),
                              .kind = LOG_EPOCH,
                              .batch = (uint32_t)epoch};
    int64_t back = c->head.position.seq;
    if (epoch <= c->head.epoch || entry.seq <= back)
        return err_set(err, ST_INTERNAL, "epoch %lld is over already", "纪元 %lld 已结束",
                       (long long)epoch);
    TRY(count_epoch(c, err));
    TRY(run(c, "INSERT INTO epoch(number, back, start, time_ms) VALUES (?, ?, ?, ?)",
            NUMBERS(epoch, back, entry.seq, entry.time_ms), err));
    c->head.position.seq = entry.seq - 1; /* nothing was ever issued in between */
    TRY(centre_log_add(c, &entry, err));
    TRY(meta_int_set(c->db, "epoch", epoch, err));
    TRY(meta_int_set(c->db, "recovering", 1, err));
    TRY(run(c, "DELETE FROM claim WHERE epoch < ?", NUMBERS(epoch), err));
    TRY(jump_ids(c, err));
    c->head.epoch = epoch;
    c->head.recovering = true;
    return ST_OK;
}

/* ------------------------------------------------------------------ claims without proof */

static enum status note_claim(struct centre *c, void *ctx, struct err *err) {
    const struct centre_claim *it = ctx;
    int64_t now_ms = c->env->wall_ms(c->env->ctx), last_ms;
    TRY(ask(c, "SELECT last_ms FROM claim WHERE device = ?", NUMBERS(it->device), 0, &last_ms,
            err));
    if (last_ms > 0 && now_ms >= last_ms && now_ms - last_ms < CENTRE_CLAIM_EACH_MS) return ST_OK;
    return run(c,
               "INSERT INTO claim(device, epoch, seq, last_batch, first_ms, last_ms, times)"
               " VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1) ON CONFLICT(device) DO UPDATE SET"
               " epoch = excluded.epoch, seq = excluded.seq, last_batch = excluded.last_batch,"
               " last_ms = excluded.last_ms, times = times + 1",
               NUMBERS(it->device, it->epoch, it->seq, it->last_batch, now_ms), err);
}

enum status centre_claim_note(struct centre *c, const struct centre_claim *claim, struct err *err) {
    struct centre_claim copy = *claim;
    return centre_write(c, note_claim, &copy, err);
}

enum status centre_claim_is_noted(struct centre *c, uint32_t device, bool *out, struct err *err) {
    int64_t noted;
    TRY(ask(c, "SELECT 1 FROM claim WHERE device = ?", NUMBERS(device), 0, &noted, err));
    *out = noted != 0;
    return ST_OK;
}

enum status centre_claims(struct centre *c, centre_claim_row *each, void *ctx, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(c->db,
                   "SELECT device, epoch, seq, last_batch, first_ms, last_ms, times FROM claim"
                   " ORDER BY device",
                   &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        struct centre_claim it = {.device = (uint32_t)db_int(s, 0),
                                  .epoch = db_int(s, 1),
                                  .seq = db_int(s, 2),
                                  .last_batch = (uint32_t)db_int(s, 3),
                                  .first_ms = db_int(s, 4),
                                  .last_ms = db_int(s, 5),
                                  .times = db_int(s, 6)};
        status = each(ctx, &it, err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

static enum status begin_recovery(struct centre *c, void *ctx, struct err *err) {
    struct centre_head head;
    int64_t claimed;
    (void)ctx;
    TRY(centre_head(c, &head, err));
    TRY(ask(c, "SELECT max(epoch) FROM claim WHERE epoch <= ?",
            NUMBERS(head.epoch + CENTRE_EPOCHS_AHEAD_MAX), 0, &claimed, err));
    TRY(centre_epoch_begin(c, (claimed > head.epoch ? claimed : head.epoch) + 1, err));
    return centre_news(c, err);
}

enum status centre_recovery_begin(struct centre *c, struct err *err) {
    return centre_write(c, begin_recovery, NULL, err);
}

/* ------------------------------------------------------------------ partings */

enum status centre_parting(struct centre *c, uint32_t device, int64_t epoch,
                           struct centre_parting *out, bool *out_found, struct err *err) {
    struct db_stmt *s;
    TRY(prepare(c,
                "SELECT back, chain, lost_from, start, settled FROM parting WHERE device = ? AND "
                "epoch = ?",
                NUMBERS(device, epoch), &s, err));
    TRY(db_step(s, out_found, err));
    if (*out_found)
        *out = (struct centre_parting){epoch,
                                       {db_int(s, 0), chain_of(db_blob(s, 1))},
                                       db_int(s, 2),
                                       db_int(s, 3),
                                       db_int(s, 4) != 0};
    db_reset(s);
    return ST_OK;
}

enum status centre_parting_put(struct centre *c, uint32_t device, const struct centre_parting *p,
                               struct err *err) {
    struct db_stmt *s;
    TRY(prepare(c,
                "INSERT INTO parting(device, epoch, back, lost_from, start, settled, chain)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT(device, epoch) DO UPDATE SET"
                " back = excluded.back, lost_from = excluded.lost_from, start = excluded.start,"
                " settled = excluded.settled, chain = excluded.chain",
                NUMBERS(device, p->epoch, p->back.seq, p->lost_from, p->start, p->settled), &s,
                err));
    db_bind_blob(s, 7, slice_of(p->back.chain.bytes, CHAIN_BYTES));
    return db_run(s, err);
}

enum status centre_parting_find(struct centre *c, int64_t from, int64_t to, struct position *out,
                                struct err *err) {
    struct position back = {.seq = from};
    int64_t kept_from;
    TRY(meta_int(c->db, "openings_from", &kept_from, err));
    if (from >= kept_from)
        TRY(ask(c, "SELECT min(seq) FROM opening WHERE seq >= ? AND seq < ?", NUMBERS(from, to),
                from, &back.seq, err));
    TRY(centre_log_chain(c, back.seq, &back.chain, err));
    *out = back;
    return ST_OK;
}

enum status centre_passed(struct centre *c, uint32_t device, int64_t cursor, int64_t *out,
                          struct err *err) {
    return ask(c,
               "SELECT min(back) FROM (SELECT back, start FROM epoch UNION ALL SELECT back, start"
               " FROM parting WHERE device = ?2 AND lost_from < start - 1)"
               " WHERE start > ?1 AND back < ?1",
               NUMBERS(cursor, device), cursor, out, err);
}

/* Seqs are dense but for those between the end of a life and the start of the next. */
enum status centre_log_behind(struct centre *c, uint32_t device, int64_t cursor,
                              int64_t *out_entries, int64_t *out_ms, struct err *err) {
    struct centre_head head;
    int64_t passed, never, time_ms;
    TRY(centre_head(c, &head, err));
    TRY(centre_passed(c, device, cursor, &passed, err));
    TRY(ask(c, "SELECT sum(start - 1 - max(back, ?1)) FROM epoch WHERE start > ?1", NUMBERS(passed),
            0, &never, err));
    TRY(ask(c, "SELECT time_ms FROM log WHERE seq > ? ORDER BY seq LIMIT 1", NUMBERS(passed), 0,
            &time_ms, err));
    *out_entries = head.position.seq > passed ? head.position.seq - passed - never : 0;
    *out_ms = time_ms;
    return ST_OK;
}

enum status centre_lost(struct centre *c, uint32_t device, struct arena *mem,
                        struct lost_branch **out, size_t *out_count, struct err *err) {
    struct lost_branch *lost = ARENA_ARRAY(mem, CENTRE_LOST_MAX, struct lost_branch);
    struct db_stmt *s;
    bool row;
    size_t count = 0;
    if (!lost) return err_no_memory(err);
    TRY(prepare(c,
                "SELECT lost_from, start FROM parting WHERE device = ? AND lost_from < start - 1"
                " ORDER BY epoch DESC",
                NUMBERS(device), &s, err));
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row || count == CENTRE_LOST_MAX) break;
        lost[count++] = (struct lost_branch){db_int(s, 0), db_int(s, 1)};
    }
    db_reset(s);
    *out = lost;
    *out_count = count;
    return ST_OK;
}

/* ------------------------------------------------------------------ what was given back */

enum status centre_old_put(struct centre *c, int64_t seq, uint32_t cell_tag, int64_t old,
                           int64_t upto, struct err *err) {
    return run(c,
               "INSERT INTO old_seq(seq, cell, old, upto) VALUES (?, ?, ?, ?) ON CONFLICT(seq, "
               "cell) DO UPDATE SET old = excluded.old, upto = excluded.upto",
               NUMBERS(seq, cell_tag, old, upto), err);
}

enum status centre_old(struct centre *c, int64_t seq, uint32_t cell_tag, int64_t *out_old,
                       int64_t *out_upto, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(prepare(c,
                "SELECT old, upto FROM old_seq WHERE seq = ? AND cell IN (0, ?) ORDER BY cell DESC "
                "LIMIT 1",
                NUMBERS(seq, cell_tag), &s, err));
    TRY(db_step(s, &row, err));
    *out_old = row ? db_int(s, 0) : 0;
    *out_upto = row ? db_int(s, 1) : 0;
    db_reset(s);
    return ST_OK;
}

enum status centre_removed_put(struct centre *c, int64_t row, uint32_t cell_tag,
                               struct slice element, int64_t upto, struct err *err) {
    struct db_stmt *s;
    TRY(prepare(c,
                "INSERT INTO old_remove(row, cell, upto, element) VALUES (?, ?, ?, ?) ON "
                "CONFLICT(row, cell, element) DO UPDATE SET upto = max(upto, excluded.upto)",
                NUMBERS(row, cell_tag, upto), &s, err));
    db_bind_text(s, 4, element);
    return db_run(s, err);
}

enum status centre_removed(struct centre *c, int64_t row, uint32_t cell_tag, struct slice element,
                           int64_t *out_upto, struct err *err) {
    struct db_stmt *s;
    bool found;
    TRY(prepare(c, "SELECT upto FROM old_remove WHERE row = ? AND cell = ? AND element = ?",
                NUMBERS(row, cell_tag), &s, err));
    db_bind_text(s, 3, element);
    TRY(db_step(s, &found, err));
    *out_upto = found ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

enum status centre_missing_add(struct centre *c, uint32_t device, uint32_t first, uint32_t last,
                               const struct chain *chain, struct err *err) {
    struct db_stmt *s;
    TRY(prepare(c,
                "INSERT INTO missing(device, first, last, chain) VALUES (?, ?, ?, ?) ON "
                "CONFLICT(device, first) DO UPDATE SET last = excluded.last, chain = "
                "excluded.chain",
                NUMBERS(device, first, last), &s, err));
    db_bind_blob(s, 4, slice_of(chain->bytes, CHAIN_BYTES));
    return db_run(s, err);
}

/* ------------------------------------------------------------------ recovery and backups */

enum status centre_recovery(struct centre *c, struct centre_recovery *out, struct err *err) {
    struct centre_head head;
    struct centre_recovery r = {0};
    TRY(centre_head(c, &head, err));
    r.recovering = head.recovering;
    r.epoch = head.epoch;
    r.backup = head.backup;
    TRY(ask(c, "SELECT time_ms FROM epoch WHERE number = ?", NUMBERS(head.epoch), 0, &r.began_ms,
            err));
    TRY(ask(c, "SELECT back FROM epoch WHERE number = ?", NUMBERS(head.epoch), 0, &r.back, err));
    TRY(ask(c, "SELECT count(*) FROM old_seq WHERE cell = 0 AND seq > ?",
            NUMBERS(epoch_start(head.epoch)), 0, &r.given, err));
    TRY(ask(c, "SELECT sum(last - first + 1) FROM missing", NULL, 0, 0, &r.missing, err));
    *out = r;
    return ST_OK;
}

static enum status end_recovery(struct centre *c, void *ctx, struct err *err) {
    int64_t recovering;
    (void)ctx;
    TRY(meta_int(c->db, "recovering", &recovering, err));
    if (!recovering)
        return err_set(err, ST_CONFLICT, "there is no recovery to end", "当前没有进行中的恢复");
    TRY(meta_int_set(c->db, "recovering", 0, err));
    TRY(centre_facts_drop(c, 0, err));
    return centre_news(c, err); /* laptops that wait ask again */
}

enum status centre_recovery_end(struct centre *c, struct err *err) {
    return centre_write(c, end_recovery, NULL, err);
}

enum status centre_returnings(struct centre *c, centre_returning_row *each, void *ctx,
                              struct err *err) {
    struct centre_head head;
    struct db_stmt *s;
    bool row;
    TRY(centre_head(c, &head, err));
    TRY(prepare(c,
                "SELECT d.number, p.settled, (SELECT coalesce(sum(m.last - m.first + 1), 0) FROM "
                "missing m WHERE m.device = d.number) FROM device d JOIN org_user u ON u.id = "
                "d.user LEFT JOIN parting p ON p.device = d.number AND p.epoch = ? WHERE d.number "
                "> 0 AND d.revoked = 0 AND u.active ORDER BY d.number",
                NUMBERS(head.epoch), &s, err));
    enum status status = db_step(s, &row, err);
    while (status == ST_OK && row) {
        struct centre_returning it = {.device = (uint32_t)db_int(s, 0),
                                      .entered = !db_is_null(s, 1),
                                      .settled = db_int(s, 1) != 0,
                                      .missing = db_int(s, 2)};
        status = each(ctx, &it, err);
        if (status == ST_OK) status = db_step(s, &row, err);
    }
    db_reset(s);
    return status;
}

static enum status announce(struct centre *c, void *ctx, struct err *err) {
    TRY(meta_int_set(c->db, "backup", *(const int64_t *)ctx, err));
    centre_forget(c);
    return centre_refresh(c, err);
}

enum status centre_backup_announce(struct centre *c, int64_t seq, struct err *err) {
    return centre_write(c, announce, &seq, err);
}
