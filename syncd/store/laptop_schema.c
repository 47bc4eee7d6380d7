/* The hidden tables of a laptop's file, and what can be checked about them alone. */
#include "syncd/store/laptop.h"

#include <string.h>

static const char *const tables[] = {
    "CREATE TABLE IF NOT EXISTS state(one INTEGER PRIMARY KEY, epoch INTEGER, cursor_seq INTEGER, "
    "cursor_chain BLOB,"
    " top_seq INTEGER, top_chain BLOB, since INTEGER, news_version INTEGER, last_batch INTEGER, "
    "last_chain BLOB,"
    " boot_id INTEGER, boot_number INTEGER, suspect_boot INTEGER, note_wall INTEGER, note_boot "
    "INTEGER, steps INTEGER,"
    " expected_offset INTEGER, head INTEGER, round_ms INTEGER, complete INTEGER, unknown BLOB)",
    "CREATE TABLE IF NOT EXISTS attempt(one INTEGER PRIMARY KEY, at_ms INTEGER, error_en TEXT, "
    "error_zh TEXT)",
    "CREATE TABLE IF NOT EXISTS outbox(n INTEGER PRIMARY KEY, sent INTEGER, done INTEGER, made_ms "
    "INTEGER,"
    " counter INTEGER, changes INTEGER, import_id INTEGER, chain BLOB, content BLOB)",
    "CREATE TABLE IF NOT EXISTS pending(row_id INTEGER, cell INTEGER, entity INTEGER, base_seq "
    "INTEGER, own INTEGER,"
    " seq INTEGER, vals BLOB, PRIMARY KEY(row_id, cell)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ahead(row_id INTEGER, cell INTEGER, seq INTEGER, PRIMARY "
    "KEY(row_id, cell))"
    " WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS before_edit(batch INTEGER, row_id INTEGER, cell INTEGER, vals BLOB,"
    " PRIMARY KEY(batch, row_id, cell)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS emptied(batch INTEGER, row_id INTEGER, cell INTEGER, base_seq "
    "INTEGER,"
    " base_own INTEGER, PRIMARY KEY(batch, row_id, cell)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS ledger(seq INTEGER, entity INTEGER, row_id INTEGER, cell INTEGER,"
    " rule INTEGER, base_seq INTEGER, loser_device INTEGER, winner_device INTEGER, loser_batch "
    "INTEGER,"
    " loser_ms INTEGER, winner_ms INTEGER, winner_is_new INTEGER, loser BLOB, winner BLOB, done "
    "INTEGER,"
    " UNIQUE(seq, cell, row_id, loser_device, loser_batch))",
    "CREATE INDEX IF NOT EXISTS ledger_row ON ledger(row_id)",
    "CREATE TABLE IF NOT EXISTS held(batch INTEGER, change INTEGER, cell INTEGER, entity INTEGER, "
    "row_id INTEGER,"
    " outcome INTEGER, reason INTEGER, state INTEGER, retried INTEGER, content BLOB, shown BLOB,"
    " PRIMARY KEY(batch, change, cell)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS others(device INTEGER, batch INTEGER, change INTEGER, cell INTEGER,"
    " seq INTEGER, time_ms INTEGER, reason INTEGER, taken INTEGER, content BLOB,"
    " PRIMARY KEY(device, batch, change, cell)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS receipt(batch INTEGER PRIMARY KEY, at INTEGER, time_ms INTEGER, "
    "content BLOB)",
    "CREATE TABLE IF NOT EXISTS past(n INTEGER PRIMARY KEY, row_id INTEGER, batch INTEGER, seq "
    "INTEGER,"
    " at_ms INTEGER, content BLOB)",
    "CREATE INDEX IF NOT EXISTS past_row ON past(row_id)",
    "CREATE TABLE IF NOT EXISTS home(home INTEGER PRIMARY KEY, since INTEGER, fills INTEGER)",
    "CREATE INDEX IF NOT EXISTS home_since ON home(since)",
    "CREATE INDEX IF NOT EXISTS home_fills ON home(home) WHERE fills = 1",
    "CREATE TABLE IF NOT EXISTS leaving(home INTEGER PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS lacked(row_id INTEGER, home INTEGER, PRIMARY KEY(row_id, home)) "
    "WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS left_row(row_id INTEGER PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS kept(n INTEGER PRIMARY KEY, epoch INTEGER, at INTEGER, proof "
    "INTEGER,"
    " before BLOB, chain BLOB, content BLOB)",
    "CREATE INDEX IF NOT EXISTS kept_epoch ON kept(epoch)",
    "CREATE TABLE IF NOT EXISTS proof(id INTEGER PRIMARY KEY, bytes BLOB, signature BLOB)",
    "CREATE TABLE IF NOT EXISTS mark(seq INTEGER PRIMARY KEY, chain BLOB)",
    "CREATE TABLE IF NOT EXISTS lost(start INTEGER PRIMARY KEY, back INTEGER, over INTEGER)",
    "CREATE TABLE IF NOT EXISTS reissued(row_id INTEGER PRIMARY KEY, seq INTEGER)",
    "CREATE TABLE IF NOT EXISTS former_row(row_id INTEGER, seq INTEGER, told INTEGER, content BLOB,"
    " PRIMARY KEY(row_id, seq)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS home_sum(home INTEGER PRIMARY KEY, sum BLOB, rows INTEGER)",
    "CREATE TABLE IF NOT EXISTS told_digest(one INTEGER PRIMARY KEY, seq INTEGER, sum BLOB, rows "
    "INTEGER)",
    "CREATE TABLE IF NOT EXISTS people(device INTEGER PRIMARY KEY, employee INTEGER, name TEXT)",
    "CREATE TABLE IF NOT EXISTS added_news(n INTEGER PRIMARY KEY, bytes BLOB, signature BLOB)",
    "CREATE TABLE IF NOT EXISTS import_row(import_id INTEGER, batch INTEGER, row_id INTEGER, cell "
    "INTEGER,"
    " entity INTEGER, before BLOB, after BLOB, PRIMARY KEY(import_id, batch, row_id, cell)) "
    "WITHOUT ROWID",
};

/* Columns of the table state that files of older releases do not have. */
static const char *const state_added[] = {
    "scope_told", "scope_ready", "scope_filling", "scope_home", "scope_entity", "scope_row",
    "seen_ms",    "lease_ms",    "lease_days",    "voucher",    "voucher_batch"};

/* What head office decided, when this laptop heard, and whether its person took note. */
static const char *const held_added[] = {"decided_seq", "decided_ms", "seen"};

static enum status add_column(struct db *db, const char *table, const char *name, struct err *err) {
    struct db_stmt *s;
    char sql[128];
    bool has;
    TRY(db_prepare(db, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2", &s, err));
    db_bind_text(s, 1, slice_from(table));
    db_bind_text(s, 2, slice_from(name));
    TRY(db_step(s, &has, err));
    db_reset(s);
    if (has) return ST_OK;
    (void)snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %s INTEGER", table, name);
    return db_exec(db, sql, err);
}

/* A release that did not understand added fields passed over them: the news are asked for again. */
static enum status ask_again(struct db *db, bool had_added, struct err *err) {
    return had_added ? ST_OK : db_exec(db, "UPDATE state SET news_version = 0", err);
}

static enum status has_table(struct db *db, const char *name, bool *out, struct err *err) {
    struct db_stmt *s;
    TRY(db_prepare(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", &s, err));
    db_bind_text(s, 1, slice_from(name));
    TRY(db_step(s, out, err));
    db_reset(s);
    return ST_OK;
}

enum status laptop_schema(struct db *db, struct err *err) {
    bool had_added;
    TRY(has_table(db, "added_news", &had_added, err));
    for (size_t i = 0; i < ARRAY_COUNT(tables); i++) TRY(db_exec(db, tables[i], err));
    for (size_t i = 0; i < ARRAY_COUNT(state_added); i++)
        TRY(add_column(db, "state", state_added[i], err));
    for (size_t i = 0; i < ARRAY_COUNT(held_added); i++)
        TRY(add_column(db, "held", held_added[i], err));
    return ask_again(db, had_added, err);
}

enum status laptop_number(struct store *store, const char *sql, int64_t *out, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(store->db, sql, &s, err));
    TRY(db_step(s, &row, err));
    *out = row ? db_int(s, 0) : 0;
    db_reset(s);
    return ST_OK;
}

/* ------------------------------------------------------------------ what can be checked alone */

struct chain_check {
    struct buf *findings;
    struct chain chain;
    uint32_t expected;
};

static void check_numbers(struct chain_check *check, uint32_t n) {
    if (n != check->expected)
        buf_printf(check->findings, "outbox: batch %u follows where %u was due\n", n,
                   check->expected);
    check->expected = n + 1;
}

static enum status check_outbox_row(struct chain_check *check, struct db_stmt *s, struct err *err) {
    struct arena mem SCOPED(arena_clear) = arena_new(STORE_SCRATCH_CAP);
    struct batch batch;
    uint32_t n = (uint32_t)db_int(s, 0);
    bool sent = db_int(s, 1) != 0;
    struct slice content = db_blob(s, 2), chain = db_blob(s, 3);
    check_numbers(check, n);
    check->chain = chain_next(&check->chain, content);
    if (batch_read(content, &mem, &batch, err) != ST_OK || batch.number != n)
        buf_printf(check->findings, "outbox: batch %u cannot be read\n", n);
    if (sent && !slice_equal(chain, slice_of(check->chain.bytes, CHAIN_BYTES)))
        buf_printf(check->findings, "outbox: batch %u does not continue the chain\n", n);
    return ST_OK;
}

static enum status check_pending(struct store *store, struct buf *findings, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(store->db,
                   "SELECT row_id, cell, own FROM pending WHERE own NOT IN (SELECT n FROM outbox "
                   "WHERE done = 0)",
                   &s, err));
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        buf_printf(
            findings,
            "pending: cell %lld of row %lld waits for batch %lld, which is not in the outbox\n",
            (long long)db_int(s, 1), (long long)db_int(s, 0), (long long)db_int(s, 2));
    }
    db_reset(s);
    return ST_OK;
}

enum status laptop_verify(struct store *store, struct buf *out_findings, struct err *err) {
    struct laptop *laptop;
    struct db_stmt *s;
    bool row;
    TRY(laptop_get(store, &laptop, err));
    struct chain_check check = {.findings = out_findings,
                                .chain = laptop->state.last_chain,
                                .expected = laptop->state.last_batch + 1};
    TRY(db_prepare(store->db,
                   "SELECT n, sent, content, chain FROM outbox WHERE done = 0 ORDER BY n", &s,
                   err));
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) break;
        TRY(check_outbox_row(&check, s, err));
    }
    db_reset(s);
    return check_pending(store, out_findings, err);
}
