/* What a transaction did, as bytes that can be done again to another file of the same schema: the
 * engine's session extension, which Debian builds in. Tables without a primary key are not in it;
 * ours all have one.
 */
#define SQLITE_ENABLE_SESSION 1
#define SQLITE_ENABLE_PREUPDATE_HOOK 1
#include "syncd/store/db_private.h"

#include <stdlib.h>

struct db_record {
    struct db *db;
    sqlite3_session *session;
};

enum status db_record_start(struct db *db, struct db_record **out, struct err *err) {
    struct db_record *record = calloc(1, sizeof *record);
    if (!record) return err_no_memory(err);
    record->db = db;
    int code = sqlite3session_create(db->sqlite, "main", &record->session);
    if (code == SQLITE_OK) code = sqlite3session_attach(record->session, NULL);
    if (code != SQLITE_OK) {
        db_record_stop(record);
        return db_fail(db, code, err);
    }
    *out = record;
    return ST_OK;
}

void db_record_stop(struct db_record *record) {
    if (!record) return;
    if (record->session) sqlite3session_delete(record->session);
    free(record);
}

enum status db_record_take(struct db_record *record, struct buf *out, struct err *err) {
    void *bytes = NULL;
    int count = 0;
    int code = sqlite3session_changeset(record->session, &count, &bytes);
    if (code == SQLITE_OK && count > 0) buf_put(out, bytes, (size_t)count);
    sqlite3_free(bytes);
    if (code != SQLITE_OK) return db_fail(record->db, code, err);
    return buf_status(out, err);
}

/* What was recorded wins over what stands there; a row that is not there any more stays away. */
static int on_conflict(void *ctx, int kind, sqlite3_changeset_iter *at) {
    int64_t *conflicts = ctx;
    (void)at;
    (*conflicts)++;
    return kind == SQLITE_CHANGESET_DATA || kind == SQLITE_CHANGESET_CONFLICT
               ? SQLITE_CHANGESET_REPLACE
               : SQLITE_CHANGESET_OMIT;
}

enum status db_record_apply(struct db *db, struct slice changes, int64_t *conflicts,
                            struct err *err) {
    if (changes.len == 0) return ST_OK;
    void *bytes = (void *)(uintptr_t)changes.data; /* the engine only reads it */
    int code =
        sqlite3changeset_apply(db->sqlite, (int)changes.len, bytes, NULL, on_conflict, conflicts);
    return code == SQLITE_OK ? ST_OK : db_fail(db, code, err);
}
