/* The tables of the server beside the rows of the book. One file per org.
 *
 * The log has one row per seq and is never rewritten. What creates a row is found through the clock
 * of the row, so that the index of the log by row holds everything else and costs a bulk import
 * nothing.
 */
#include "syncd/store/centre_private.h"

#include <stdio.h>

static const char *const TABLES[] = {
    "CREATE TABLE IF NOT EXISTS log("
    " seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, chain BLOB NOT NULL, kind INTEGER NOT "
    "NULL,"
    " entity INTEGER NOT NULL, row INTEGER NOT NULL, device INTEGER NOT NULL, batch INTEGER NOT "
    "NULL,"
    " change INTEGER NOT NULL, outcome INTEGER NOT NULL, homes BLOB)",
    "CREATE INDEX IF NOT EXISTS log_row ON log(row) WHERE kind <> 1 OR outcome <> 0",
    "CREATE TABLE IF NOT EXISTS journal("
    " device INTEGER NOT NULL, batch INTEGER NOT NULL, bytes BLOB NOT NULL, signature BLOB, chain "
    "BLOB NOT NULL,"
    " first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, received_ms INTEGER NOT NULL, person "
    "TEXT,"
    " outcomes BLOB NOT NULL, PRIMARY KEY(device, batch))",
    "CREATE TABLE IF NOT EXISTS ledger("
    " seq INTEGER NOT NULL, ord INTEGER NOT NULL, entity INTEGER NOT NULL, row INTEGER NOT NULL,"
    " cell INTEGER NOT NULL, rule INTEGER NOT NULL, base_seq INTEGER NOT NULL, loser_device "
    "INTEGER NOT NULL,"
    " loser_batch INTEGER NOT NULL, loser_ms INTEGER NOT NULL, winner_device INTEGER NOT NULL,"
    " winner_ms INTEGER NOT NULL, winner_is_new INTEGER NOT NULL, loser BLOB, winner BLOB,"
    " PRIMARY KEY(seq, ord)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS ledger_row ON ledger(row)",
    "CREATE TABLE IF NOT EXISTS quarantine("
    " device INTEGER NOT NULL, batch INTEGER NOT NULL, change INTEGER NOT NULL, cell INTEGER NOT "
    "NULL,"
    " seq INTEGER NOT NULL, time_ms INTEGER NOT NULL, entity INTEGER NOT NULL, row INTEGER NOT "
    "NULL,"
    " base_seq INTEGER NOT NULL, base_own INTEGER NOT NULL, outcome INTEGER NOT NULL, reason "
    "INTEGER NOT NULL,"
    " state INTEGER NOT NULL, state_seq INTEGER NOT NULL, content BLOB NOT NULL,"
    " PRIMARY KEY(device, batch, change, cell)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS quarantine_news ON quarantine(device, state_seq) WHERE state_seq > "
    "0",
    "CREATE INDEX IF NOT EXISTS quarantine_denied ON quarantine(row) WHERE reason = 11",
    "CREATE TABLE IF NOT EXISTS late(seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, device "
    "INTEGER NOT NULL, batch INTEGER NOT NULL, change INTEGER NOT NULL, entity INTEGER NOT NULL, "
    "row INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS text_version("
    " row INTEGER NOT NULL, cell INTEGER NOT NULL, seq INTEGER NOT NULL, body TEXT,"
    " PRIMARY KEY(row, cell, seq)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS delete_also(unit INTEGER NOT NULL, seq INTEGER NOT NULL,"
    " PRIMARY KEY(unit, seq)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS alias_log(seq INTEGER NOT NULL, from_id INTEGER NOT NULL, to_id "
    "INTEGER NOT NULL,"
    " PRIMARY KEY(seq, from_id)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS alias_log_from ON alias_log(from_id, seq)",
    "CREATE TABLE IF NOT EXISTS united(seq INTEGER PRIMARY KEY, entity INTEGER NOT NULL, from_id "
    "INTEGER NOT NULL, to_id INTEGER NOT NULL, time_ms INTEGER NOT NULL, cause INTEGER NOT NULL,"
    " person TEXT NOT NULL, vals BLOB NOT NULL, clock BLOB NOT NULL, more BLOB, before BLOB NOT "
    "NULL, parted INTEGER NOT NULL, dead INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS not_same(a INTEGER NOT NULL, b INTEGER NOT NULL, person TEXT NOT "
    "NULL, time_ms INTEGER NOT NULL, PRIMARY KEY(a, b)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS united_from ON united(from_id)",
    "CREATE INDEX IF NOT EXISTS united_cause ON united(cause)",
    "CREATE TABLE IF NOT EXISTS united_ref(seq INTEGER NOT NULL, entity INTEGER NOT NULL, field "
    "INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY(seq, entity, field, row)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS org_user("
    " id INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL, employee INTEGER NOT "
    "NULL,"
    " role INTEGER NOT NULL, active INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS device("
    " number INTEGER PRIMARY KEY, user INTEGER NOT NULL, public_key BLOB, name TEXT NOT NULL,"
    " revoked INTEGER NOT NULL DEFAULT 0, session_key BLOB, key_until_ms INTEGER NOT NULL DEFAULT "
    "0,"
    " last_batch INTEGER NOT NULL DEFAULT 0, chain BLOB, release TEXT NOT NULL DEFAULT '', "
    "catalogue BLOB,"
    " enrolled_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL DEFAULT 0, cursor INTEGER NOT NULL "
    "DEFAULT 0)",
    "CREATE INDEX IF NOT EXISTS org_user_employee ON org_user(employee)",
    "CREATE TABLE IF NOT EXISTS grant_home("
    " user INTEGER NOT NULL, home INTEGER NOT NULL, since INTEGER NOT NULL, until_seq INTEGER NOT "
    "NULL,"
    " until_ms INTEGER NOT NULL, born INTEGER NOT NULL, PRIMARY KEY(user, home, since)) WITHOUT "
    "ROWID",
    "CREATE INDEX IF NOT EXISTS grant_of_home ON grant_home(home, user) WHERE until_seq = 0",
    "CREATE INDEX IF NOT EXISTS grant_since ON grant_home(since)",
    "CREATE INDEX IF NOT EXISTS grant_until ON grant_home(until_seq) WHERE until_seq > 0",
    "CREATE TABLE IF NOT EXISTS reason(user INTEGER NOT NULL, home INTEGER NOT NULL, kind INTEGER "
    "NOT NULL, PRIMARY KEY(user, home, kind)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS reason_home ON reason(home)",
    "CREATE TABLE IF NOT EXISTS leave_row(row INTEGER NOT NULL, seq INTEGER NOT NULL, home INTEGER "
    "NOT NULL, time_ms INTEGER NOT NULL, PRIMARY KEY(row, seq, home)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS dated("
    " id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, due_ms INTEGER NOT NULL, account INTEGER NOT "
    "NULL,"
    " from_employee INTEGER NOT NULL, to_employee INTEGER NOT NULL, person TEXT NOT NULL, made_ms "
    "INTEGER NOT NULL, done_seq INTEGER NOT NULL, cancelled INTEGER NOT NULL, accounts INTEGER NOT "
    "NULL, handover INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS opening(seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS epoch(number INTEGER PRIMARY KEY, back INTEGER NOT NULL,"
    " start INTEGER NOT NULL, time_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS parting("
    " device INTEGER NOT NULL, epoch INTEGER NOT NULL, back INTEGER NOT NULL, chain BLOB NOT NULL,"
    " lost_from INTEGER NOT NULL, start INTEGER NOT NULL, settled INTEGER NOT NULL,"
    " PRIMARY KEY(device, epoch)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS old_seq(seq INTEGER NOT NULL, cell INTEGER NOT NULL,"
    " old INTEGER NOT NULL, upto INTEGER NOT NULL, PRIMARY KEY(seq, cell)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS old_remove(row INTEGER NOT NULL, cell INTEGER NOT NULL,"
    " element TEXT NOT NULL, upto INTEGER NOT NULL, PRIMARY KEY(row, cell, element)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS missing(device INTEGER NOT NULL, first INTEGER NOT NULL,"
    " last INTEGER NOT NULL, chain BLOB NOT NULL, PRIMARY KEY(device, first)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS former_row(device INTEGER NOT NULL, row INTEGER NOT NULL, life "
    "INTEGER NOT NULL, seq INTEGER NOT NULL, entity INTEGER NOT NULL, back INTEGER NOT NULL, "
    "content BLOB NOT NULL, PRIMARY KEY(row, life, device)) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS former_row_device ON former_row(device)",
    "CREATE TABLE IF NOT EXISTS fact_seq(seq INTEGER NOT NULL, cell INTEGER NOT NULL, upto INTEGER "
    "NOT NULL, PRIMARY KEY(seq, cell)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS claim(device INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, seq "
    "INTEGER NOT NULL, last_batch INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT "
    "NULL, times INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS collected(row INTEGER PRIMARY KEY, entity INTEGER NOT NULL, unit "
    "INTEGER NOT NULL, seq INTEGER NOT NULL, deleted_ms INTEGER NOT NULL, vals BLOB, clock BLOB,"
    " more BLOB)",
    "CREATE TABLE IF NOT EXISTS home_digest(home INTEGER PRIMARY KEY, sum BLOB NOT NULL, rows "
    "INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS added_field("
    " tag INTEGER PRIMARY KEY, entity INTEGER NOT NULL, first_tag INTEGER NOT NULL, type INTEGER "
    "NOT NULL, set_of INTEGER NOT NULL, rule INTEGER NOT NULL, scale INTEGER NOT NULL, flags "
    "INTEGER NOT NULL, min INTEGER NOT NULL, max INTEGER NOT NULL, loose_min INTEGER NOT NULL,"
    " loose_max INTEGER NOT NULL, since INTEGER NOT NULL, name TEXT NOT NULL, label_en TEXT NOT "
    "NULL, label_zh TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS added_value("
    " entity INTEGER NOT NULL, field INTEGER NOT NULL, number INTEGER NOT NULL, flags INTEGER NOT "
    "NULL, name TEXT NOT NULL, label_en TEXT NOT NULL, label_zh TEXT NOT NULL,"
    " PRIMARY KEY(entity, field, number)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS secret_org_key("
    " number INTEGER PRIMARY KEY, old_public BLOB NOT NULL, new_public BLOB NOT NULL, time_ms "
    "INTEGER NOT NULL, seq INTEGER NOT NULL, by_old BLOB NOT NULL, by_new BLOB NOT NULL, voucher "
    "BLOB NOT NULL, added INTEGER NOT NULL, person TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS link("
    " code_hash BLOB PRIMARY KEY, user INTEGER NOT NULL, expires_ms INTEGER NOT NULL, device "
    "INTEGER) WITHOUT ROWID",
};

/* Columns that files of earlier releases lack. */
static enum status add_column(struct db *db, const char *has, const char *add, struct err *err) {
    struct db_stmt *s;
    bool row;
    TRY(db_prepare(db, has, &s, err));
    TRY(db_step(s, &row, err));
    db_reset(s);
    return row ? ST_OK : db_exec(db, add, err);
}

static enum status add_device_columns(struct db *db, struct err *err) {
    static const char *const NAMES[] = {"wipe",    "revoked_ms", "wiped_ms",      "offset_ms",
                                        "told_ms", "newest",     "used_kib",      "free_mib",
                                        "disk",    "formerly",   "formerly_batch"};
    for (size_t i = 0; i < ARRAY_COUNT(NAMES); i++) {
        char has[128], add[128];
        (void)snprintf(has, sizeof has,
                       "SELECT 1 FROM pragma_table_info('device') WHERE name = '%s'", NAMES[i]);
        (void)snprintf(add, sizeof add,
                       "ALTER TABLE device ADD COLUMN %s INTEGER NOT NULL DEFAULT 0", NAMES[i]);
        TRY(add_column(db, has, add, err));
    }
    return ST_OK;
}

enum status centre_schema(struct db *db, struct err *err) {
    for (size_t i = 0; i < ARRAY_COUNT(TABLES); i++) TRY(db_exec(db, TABLES[i], err));
    TRY(add_column(db, "SELECT 1 FROM pragma_table_info('log') WHERE name = 'homes'",
                   "ALTER TABLE log ADD COLUMN homes BLOB", err));
    TRY(add_column(db, "SELECT 1 FROM pragma_table_info('journal') WHERE name = 'reduced'",
                   "ALTER TABLE journal ADD COLUMN reduced INTEGER NOT NULL DEFAULT 0", err));
    TRY(add_device_columns(db, err));
    TRY(db_exec(db,
                "INSERT INTO secret_setting(name, value) SELECT name, value FROM meta"
                " WHERE name = '" SETTING_SEED "' ON CONFLICT(name) DO NOTHING",
                err));
    return db_exec(db, "DELETE FROM meta WHERE name = '" SETTING_SEED "'", err);
}
