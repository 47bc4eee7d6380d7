/* The driver of SQLite: handles, statements, transactions. Backup, checks and salvage are in
 * db_check.c, full text in db_tokenizer.c; these three are the only files that include sqlite3.h.
 *
 * Prepared statements are kept for the life of a handle, since compiling one costs more than
 * running it.
 */
#include "syncd/platform/platform.h"
#include "syncd/store/db_private.h"

#include <assert.h>
#include <errno.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CACHE_FIRST_SIZE = 64,
    CACHE_SIZE_MAX = 8192,              /* statements of a program are a few hundred */
    COPIES_MAX = 64,                    /* of one text in use at once: more is a forgotten reset */
    VALUE_BYTES_MAX = 256 * 1024 * 1024 /* also of what a person's SQL can make */
};

/* ------------------------------------------------------------------ codes */

static enum status fail_full(struct err *err) {
    return err_set(err, ST_DISK, "the disk is full: free some space; nothing was lost",
                   "磁盘已满：请腾出空间；没有丢失任何内容");
}

static enum status fail_disk(struct db *db, int code, struct err *err) {
    /* SQLite tells of a full disk in its own words only where it writes the file itself. */
    bool full = code == SQLITE_IOERR_SHMSIZE || code == SQLITE_IOERR_SHMMAP ||
                (db->sqlite && sqlite3_system_errno(db->sqlite) == ENOSPC);
    if (full) return fail_full(err);
    return err_set(err, ST_DISK, "cannot read or write %s: %s (%d)", "无法读写 %s：%s（%d）",
                   db->path, db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(code), code);
}

static enum status fail_damaged(struct db *db, int code, struct err *err) {
    return err_set(err, ST_DAMAGED, "%s is damaged or is not a book (%s)",
                   "%s 已损坏或不是本程序的文件（%s）", db->path, sqlite3_errstr(code));
}

enum status db_fail(struct db *db, int code, struct err *err) {
    int extended = db->sqlite ? sqlite3_extended_errcode(db->sqlite) : code;
    if ((extended & 0xFF) != (code & 0xFF)) extended = code;
    switch (code & 0xFF) {
    case SQLITE_NOMEM: return err_no_memory(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_set(err, ST_BUSY, "another program holds the book %s; try again",
                       "另一个程序正占用 %s，请稍后再试", db->path);
    case SQLITE_FULL: return fail_full(err);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return fail_damaged(db, extended, err);
    case SQLITE_IOERR:
        if (extended == SQLITE_IOERR_NOMEM) return err_no_memory(err);
        return fail_disk(db, extended, err);
    case SQLITE_CANTOPEN: return fail_disk(db, extended, err);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_set(err, ST_DENIED,
                       "%s cannot be written: check who owns it and its permissions",
                       "%s 不可写：请检查文件的所有者和权限", db->path);
    case SQLITE_AUTH:
        return err_set(err, ST_DENIED, "only reading of the views is allowed here: %s",
                       "此处只能读取：%s", sqlite3_errmsg(db->sqlite));
    case SQLITE_INTERRUPT: return err_set(err, ST_CANCELLED, "cancelled", "已取消");
    case SQLITE_TOOBIG: return err_set(err, ST_TOO_LARGE, "a value is too large", "内容过大");
    default:
        return err_set(err, ST_INTERNAL, "the database says: %s (%d)", "数据库报告：%s（%d）",
                       db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(code), extended);
    }
}

/* ------------------------------------------------------------------ opening */

/* The file is made by us, since SQLite would give it the permissions of the umask. Its WAL takes
 * after it. */
static enum status find_file(const char *path, int flags, struct err *err) {
    if (platform_exists(path)) return ST_OK;
    if (flags & DB_CREATE) return platform_make_file(path, false, err);
    return err_set(err, ST_NOT_FOUND, "there is no book at %s", "%s 处没有数据文件", path);
}

/* SQLite's own way waits longer and longer between looks, so that a person's save would find the
 * lock taken again by whoever applies a long reply slice by slice. tries: looks so far for this
 * lock. */
static int wait_for_lock(void *ctx, int tries) {
    enum { OFTEN = 500, OFTEN_MS = 1, SELDOM_MS = 10 }; /* a slice holds the lock some 20 ms */
    int waited_ms =
        tries <= OFTEN ? tries * OFTEN_MS : OFTEN * OFTEN_MS + (tries - OFTEN) * SELDOM_MS;
    (void)ctx;
    if (waited_ms >= DB_BUSY_MS) return 0;
    (void)sqlite3_sleep(tries < OFTEN ? OFTEN_MS : SELDOM_MS);
    return 1;
}

void db_let_others(void) {
    (void)sqlite3_sleep(2); /* longer than the look above */
}

/* What a read-only handle cannot set it does not need. */
static enum status configure(struct db *db, struct err *err) {
    sqlite3_extended_result_codes(db->sqlite, 1);
    sqlite3_busy_handler(db->sqlite, wait_for_lock, NULL);
    sqlite3_limit(db->sqlite, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    TRY(db_exec(db,
                "PRAGMA foreign_keys = OFF; PRAGMA cache_size = -5200; PRAGMA mmap_size = 0;"
                "PRAGMA trusted_schema = OFF",
                err));
    if (!db->read_only)
        TRY(db_exec(db,
                    "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                    "PRAGMA secure_delete = ON",
                    err));
    return db_exec(db, "SELECT count(*) FROM sqlite_master", err);
}

static enum status open_handle(struct db *db, const char *path, int flags, struct err *err) {
    db->path = strdup(path);
    db->cache = calloc(CACHE_FIRST_SIZE, sizeof *db->cache);
    db->kept = calloc(CACHE_FIRST_SIZE, sizeof *db->kept);
    if (!db->path || !db->cache || !db->kept) return err_no_memory(err);
    db->cache_size = db->kept_size = CACHE_FIRST_SIZE;
    db->read_only = flags & DB_READ_ONLY;
    int open_flags = db->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    const char *vfs = NULL;
    if (flags & DB_ERASES) TRY(db_erase_vfs(&vfs, err));
    int code = sqlite3_open_v2(path, &db->sqlite, open_flags | SQLITE_OPEN_NOMUTEX, vfs);
    if (code != SQLITE_OK) return db_fail(db, code, err);
    TRY(configure(db, err));
    return db_tokenizer_register(db, err);
}

enum status db_open(const char *path, int flags, struct db **out, struct err *err) {
    TRY(find_file(path, flags, err));
    struct db *db = calloc(1, sizeof *db);
    if (!db) return err_no_memory(err);
    enum status status = open_handle(db, path, flags, err);
    if (status != ST_OK) {
        db_close(db);
        return status;
    }
    *out = db;
    return ST_OK;
}

void db_close(struct db *db) {
    if (!db) return;
    for (size_t i = 0; i < db->cache_size; i++)
        if (db->cache[i]) db_finalize(db->cache[i]);
    if (db->sqlite) {
        int code = sqlite3_close(db->sqlite);
        assert(code == SQLITE_OK); /* else a statement that is not cached was left */
        (void)code;
    }
    free(db->cache);
    free(db->kept);
    free(db->path);
    free(db);
}

enum status db_exec(struct db *db, const char *sql, struct err *err) {
    int code = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ST_OK : db_fail(db, code, err);
}

/* ------------------------------------------------------------------ statements */

/* Eight bytes a step: a statement is looked up by its text a few times for every row written. */
static uint64_t hash_bytes(const void *data, size_t len) {
    const uint8_t *bytes = data;
    uint64_t hash = UINT64_C(0xCBF29CE484222325) ^ len, word;
    for (; len >= sizeof word; len -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    for (size_t i = 0; i < len; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001B3);
    return hash ^ hash >> 32;
}

static void put_in(struct db_stmt **cache, size_t size, struct db_stmt *s) {
    size_t at = s->hash & (size - 1);
    while (cache[at]) at = (at + 1) & (size - 1);
    cache[at] = s;
}

static enum status cache_grow(struct db *db, struct err *err) {
    size_t size = db->cache_size * 2;
    if (db->cache_used * 2 < db->cache_size) return ST_OK;
    if (size > CACHE_SIZE_MAX)
        return err_set(err, ST_INTERNAL, "too many different statements", "语句种类过多");
    struct db_stmt **cache = calloc(size, sizeof *cache);
    if (!cache) return err_no_memory(err);
    for (size_t i = 0; i < db->cache_size; i++)
        if (db->cache[i]) put_in(cache, size, db->cache[i]);
    free(db->cache);
    db->cache = cache;
    db->cache_size = size;
    return ST_OK;
}

static enum status make_stmt(struct db *db, const char *sql, unsigned flags, struct db_stmt **out,
                             struct err *err) {
    struct db_stmt *s = calloc(1, sizeof *s);
    const char *tail = NULL;
    if (!s) return err_no_memory(err);
    s->db = db;
    int code = sqlite3_prepare_v3(db->sqlite, sql, -1, flags, &s->stmt, &tail);
    if (code == SQLITE_OK && s->stmt && *(tail + strspn(tail, " \t\r\n;")) == '\0') {
        *out = s;
        return ST_OK;
    }
    enum status status = ST_OK;
    if (code != SQLITE_OK) {
        status = (code & 0xFF) == SQLITE_ERROR
                     ? err_set(err, ST_INVALID, "the statement is not valid: %s", "语句无效：%s",
                               sqlite3_errmsg(db->sqlite))
                     : db_fail(db, code, err);
    } else {
        status = err_set(err, ST_INVALID, "one statement is expected", "应为一条语句");
    }
    db_finalize(s);
    return status;
}

enum status db_prepare_once(struct db *db, const char *sql, struct db_stmt **out, struct err *err) {
    return make_stmt(db, sql, 0, out, err);
}

static void make_ready(struct db_stmt *s) {
    db_reset(s);
    sqlite3_clear_bindings(s->stmt);
}

/* A free statement with this text; NULL when there is none. */
static struct db_stmt *find_cached(struct db *db, const char *sql, uint64_t hash,
                                   size_t *out_copies) {
    *out_copies = 0;
    for (size_t at = hash & (db->cache_size - 1); db->cache[at];
         at = (at + 1) & (db->cache_size - 1)) {
        struct db_stmt *s = db->cache[at];
        if (s->hash != hash || strcmp(s->sql, sql) != 0) continue;
        if (!sqlite3_stmt_busy(s->stmt)) return s;
        (*out_copies)++;
    }
    return NULL;
}

static enum status add_cached(struct db *db, const char *sql, uint64_t hash, struct db_stmt **out,
                              struct err *err) {
    struct db_stmt *s = NULL;
    TRY(cache_grow(db, err));
    TRY(make_stmt(db, sql, SQLITE_PREPARE_PERSISTENT, &s, err));
    s->sql = strdup(sql);
    s->hash = hash;
    if (!s->sql) {
        db_finalize(s);
        return err_no_memory(err);
    }
    put_in(db->cache, db->cache_size, s);
    db->cache_used++;
    *out = s;
    return ST_OK;
}

enum status db_prepare(struct db *db, const char *sql, struct db_stmt **out, struct err *err) {
    uint64_t hash = hash_bytes(sql, strlen(sql));
    size_t copies;
    struct db_stmt *s = find_cached(db, sql, hash, &copies);
    if (copies >= COPIES_MAX)
        return err_set(err, ST_INTERNAL, "a statement was not reset: %s", "语句未复位：%s", sql);
    if (!s) TRY(add_cached(db, sql, hash, &s, err));
    make_ready(s);
    *out = s;
    return ST_OK;
}

void db_finalize(struct db_stmt *s) {
    if (!s) return;
    sqlite3_finalize(s->stmt);
    free(s->sql);
    free(s);
}

void db_release(struct db_stmt *s) {
    if (s && s->sql)
        make_ready(s);
    else
        db_finalize(s);
}

/* ------------------------------------------------------------------ statements by object */

static size_t kept_place(const struct db_kept *kept, size_t size, const void *object, uint32_t what,
                         uint64_t mask) {
    uint64_t hash =
        ((uint64_t)(uintptr_t)object ^ (uint64_t)what << 48 ^ mask * UINT64_C(0x9E3779B97F4A7C15)) *
        UINT64_C(0xD6E8FEB86659FD93);
    size_t at = (size_t)(hash >> 40) & (size - 1);
    while (kept[at].stmt &&
           (kept[at].object != object || kept[at].what != what || kept[at].mask != mask))
        at = (at + 1) & (size - 1);
    return at;
}

struct db_stmt *db_kept(struct db *db, const void *object, uint32_t what, uint64_t mask) {
    struct db_stmt *s = db->kept[kept_place(db->kept, db->kept_size, object, what, mask)].stmt;
    if (!s || sqlite3_stmt_busy(s->stmt)) return NULL;
    make_ready(s);
    return s;
}

static enum status kept_grow(struct db *db, struct err *err) {
    size_t size = db->kept_size * 2;
    if (db->kept_used * 2 < db->kept_size) return ST_OK;
    struct db_kept *kept = calloc(size, sizeof *kept);
    if (!kept) return err_no_memory(err);
    for (size_t i = 0; i < db->kept_size; i++) {
        const struct db_kept *k = &db->kept[i];
        if (k->stmt) kept[kept_place(kept, size, k->object, k->what, k->mask)] = *k;
    }
    free(db->kept);
    db->kept = kept;
    db->kept_size = size;
    return ST_OK;
}

enum status db_keep(struct db *db, const void *object, uint32_t what, uint64_t mask,
                    struct db_stmt *s, struct err *err) {
    TRY(kept_grow(db, err));
    struct db_kept *place = &db->kept[kept_place(db->kept, db->kept_size, object, what, mask)];
    if (!place->stmt) db->kept_used++;
    *place = (struct db_kept){.object = object, .what = what, .mask = mask, .stmt = s};
    return ST_OK;
}

void db_forget(struct db *db) {
    memset(db->kept, 0, db->kept_size * sizeof *db->kept);
    db->kept_used = 0;
}

/* ------------------------------------------------------------------ binding and stepping */

static void note_bind(struct db_stmt *s, int code) {
    if (s->bind_code == SQLITE_OK) s->bind_code = code;
}

void db_bind_null(struct db_stmt *s, int index) {
    note_bind(s, sqlite3_bind_null(s->stmt, index));
}

void db_bind_int(struct db_stmt *s, int index, int64_t v) {
    note_bind(s, sqlite3_bind_int64(s->stmt, index, v));
}

/* SQLite takes a NULL pointer for NULL; an empty slice is an empty text. */
void db_bind_text(struct db_stmt *s, int index, struct slice v) {
    const char *data = v.data ? (const char *)v.data : "";
    note_bind(s, sqlite3_bind_text64(s->stmt, index, data, v.len, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_blob(struct db_stmt *s, int index, struct slice v) {
    const void *data = v.data ? (const void *)v.data : "";
    note_bind(s, sqlite3_bind_blob64(s->stmt, index, data, v.len, SQLITE_STATIC));
}

enum status db_step(struct db_stmt *s, bool *out_row, struct err *err) {
    int code = s->bind_code;
    if (code == SQLITE_OK) code = sqlite3_step(s->stmt);
    if (code == SQLITE_ROW || code == SQLITE_DONE) {
        *out_row = code == SQLITE_ROW;
        return ST_OK;
    }
    enum status status = db_fail(s->db, code, err);
    db_reset(s);
    return status;
}

enum status db_run(struct db_stmt *s, struct err *err) {
    bool row = true;
    while (row) TRY(db_step(s, &row, err));
    db_reset(s);
    return ST_OK;
}

void db_reset(struct db_stmt *s) {
    sqlite3_reset(s->stmt);
    s->bind_code = SQLITE_OK;
}

int db_column_count(struct db_stmt *s) {
    return sqlite3_column_count(s->stmt);
}

const char *db_column_name(struct db_stmt *s, int column) {
    return sqlite3_column_name(s->stmt, column);
}

bool db_is_null(struct db_stmt *s, int column) {
    return sqlite3_column_type(s->stmt, column) == SQLITE_NULL;
}

bool db_is_text(struct db_stmt *s, int column) {
    int type = sqlite3_column_type(s->stmt, column);
    return type == SQLITE_TEXT || type == SQLITE_BLOB;
}

bool db_is_real(struct db_stmt *s, int column) {
    return sqlite3_column_type(s->stmt, column) == SQLITE_FLOAT;
}

int64_t db_int(struct db_stmt *s, int column) {
    return sqlite3_column_int64(s->stmt, column);
}

double db_real(struct db_stmt *s, int column) {
    return sqlite3_column_double(s->stmt, column);
}

struct slice db_text(struct db_stmt *s, int column) {
    const unsigned char *text = sqlite3_column_text(s->stmt, column);
    return slice_of(text, text ? (size_t)sqlite3_column_bytes(s->stmt, column) : 0);
}

struct slice db_blob(struct db_stmt *s, int column) {
    const void *data = sqlite3_column_blob(s->stmt, column);
    return slice_of(data, data ? (size_t)sqlite3_column_bytes(s->stmt, column) : 0);
}

size_t db_parameter_count(const struct db_stmt *s) {
    return (size_t)sqlite3_bind_parameter_count(s->stmt);
}

/* ------------------------------------------------------------------ transactions */

static enum status run_text(struct db *db, const char *sql, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_prepare(db, sql, &s, err));
    return db_run(s, err);
}

enum status db_begin(struct db *db, bool write, struct err *err) {
    return run_text(db, write ? "BEGIN IMMEDIATE" : "BEGIN", err);
}

/* What is written into a file that was set aside is saved nowhere. */
static enum status check_in_place(const struct db *db, struct err *err) {
    if (sqlite3_txn_state(db->sqlite, NULL) != SQLITE_TXN_WRITE || !db_has_moved(db)) return ST_OK;
    return err_set(err, ST_BUSY, "the book was replaced meanwhile: do it again",
                   "账本文件刚被替换：请重做一次");
}

/* A commit that failed leaves nothing half done: the transaction is rolled back. */
enum status db_commit(struct db *db, struct err *err) {
    enum status status = check_in_place(db, err);
    if (status == ST_OK) status = run_text(db, "COMMIT", err);
    if (status != ST_OK) db_rollback(db);
    return status;
}

void db_rollback(struct db *db) {
    if (!db_in_transaction(db)) return;
    if (run_text(db, "ROLLBACK", NULL) != ST_OK && db_in_transaction(db))
        sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

bool db_in_transaction(const struct db *db) {
    return !sqlite3_get_autocommit(db->sqlite);
}

int64_t db_changes(const struct db *db) {
    return sqlite3_changes64(db->sqlite);
}

enum status db_data_version(struct db *db, int64_t *out, struct err *err) {
    bool row;
    if (!db->data_version) TRY(db_prepare(db, "PRAGMA data_version", &db->data_version, err));
    TRY(db_step(db->data_version, &row, err));
    *out = db_int(db->data_version, 0);
    db_reset(db->data_version);
    return ST_OK;
}

enum status db_checkpoint(struct db *db, struct err *err) {
    int code = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK ? ST_OK : db_fail(db, code, err);
}

/* Waiting for readers would keep all writers out. */
enum status db_checkpoint_all(struct db *db, bool *out_done, struct err *err) {
    sqlite3_busy_handler(db->sqlite, NULL, NULL);
    int code = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_handler(db->sqlite, wait_for_lock, NULL);
    if (code != SQLITE_OK && code != SQLITE_BUSY && code != SQLITE_LOCKED)
        return db_fail(db, code, err);
    *out_done = code == SQLITE_OK;
    return ST_OK;
}
