/* The driver of SQLite: what is rare. Backup, the engine's own check, statements of people,
 * salvage. */
#include "syncd/platform/platform.h"
#include "syncd/store/db_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BACKUP_STEP_PAGES = 256, /* 1 MB between two looks at progress */
    FINDINGS_MAX = 100,
    SALVAGE_SEEKS_MAX = 20000 /* damaged places looked into before giving up */
};
#define ROWID_FAR (INT64_C(1) << 53) /* ids have 53 bits */

/* ------------------------------------------------------------------ backup */

static enum status copy_pages(struct db *from, struct db *to, db_progress *progress, void *ctx,
                              struct err *err) {
    sqlite3_backup *backup = sqlite3_backup_init(to->sqlite, "main", from->sqlite, "main");
    if (!backup) return db_fail(to, sqlite3_errcode(to->sqlite), err);
    int code = SQLITE_OK;
    bool go_on = true;
    while (go_on && (code = sqlite3_backup_step(backup, BACKUP_STEP_PAGES)) == SQLITE_OK) {
        int total = sqlite3_backup_pagecount(backup);
        if (progress) go_on = progress(ctx, total - sqlite3_backup_remaining(backup), total);
    }
    int end = sqlite3_backup_finish(backup);
    if (!go_on) return err_set(err, ST_CANCELLED, "cancelled", "已取消");
    if (code != SQLITE_DONE) return db_fail(code == SQLITE_CORRUPT ? from : to, code, err);
    return end == SQLITE_OK ? ST_OK : db_fail(to, end, err);
}

static enum status open_target(const char *path, struct db *out, struct err *err) {
    *out = (struct db){.path = (char *)(uintptr_t)path}; /* only for messages */
    TRY(platform_make_file(path, true, err));
    int code =
        sqlite3_open_v2(path, &out->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    return code == SQLITE_OK ? ST_OK : db_fail(out, code, err);
}

static enum status backup_to(struct db *db, const char *part, db_progress *progress, void *ctx,
                             struct err *err) {
    struct db to;
    enum status status = open_target(part, &to, err);
    if (status == ST_OK) status = copy_pages(db, &to, progress, ctx, err);
    sqlite3_close(to.sqlite);
    return status;
}

/* The read transaction keeps the copy at one moment however long it takes and whoever writes
 * meanwhile; the name says "part" until the copy is whole. */
enum status db_backup(struct db *db, const char *path, db_progress *progress, void *ctx,
                      struct err *err) {
    if (db_in_transaction(db)) return err_set(err, ST_BUSY, "a save is in progress", "正在保存");
    if (platform_exists(path))
        return err_set(err, ST_CONFLICT, "%s is there already", "%s 已存在", path);
    struct buf part SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    buf_printf(&part, "%s.part", path);
    TRY(buf_status(&part, err));
    (void)platform_remove(buf_text(&part), NULL); /* of a backup that was cut off */
    TRY(db_begin(db, false, err));
    enum status status = db_exec(db, "SELECT count(*) FROM sqlite_master", err);
    if (status == ST_OK) status = backup_to(db, buf_text(&part), progress, ctx, err);
    db_rollback(db);
    if (status == ST_OK) status = platform_rename(buf_text(&part), path, err);
    if (status != ST_OK) (void)platform_remove(buf_text(&part), NULL);
    return status;
}

/* ------------------------------------------------------------------ the engine's check */

static enum status list_findings(struct db_stmt *s, struct buf *out, struct err *err) {
    bool row;
    for (;;) {
        TRY(db_step(s, &row, err));
        if (!row) return ST_OK;
        struct slice line = db_text(s, 0);
        if (slice_equal(line, SLICE("ok"))) continue;
        buf_put_slice(out, line);
        buf_put_byte(out, '\n');
    }
}

/* A check that stumbles over the damage has found it. */
enum status db_integrity(struct db *db, struct buf *out, struct err *err) {
    struct db_stmt *s = NULL;
    struct err stumbled = {0};
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", FINDINGS_MAX);
    enum status status = db_prepare_once(db, sql, &s, &stumbled);
    if (status == ST_OK) status = list_findings(s, out, &stumbled);
    db_finalize(s);
    if (status == ST_DAMAGED) {
        buf_printf(out, "%s\n", stumbled.text[LANG_EN]);
        return ST_OK;
    }
    if (status != ST_OK && err) *err = stumbled;
    return status;
}

/* ------------------------------------------------------------------ statements of people */

static bool is_harmless_pragma(const char *name, const char *argument) {
    static const char *const NAMES[] = {"table_info", "table_xinfo", "table_list",   "index_list",
                                        "index_info", "index_xinfo", "database_list"};
    for (size_t i = 0; i < ARRAY_COUNT(NAMES); i++)
        if (strcmp(name, NAMES[i]) == 0) return true;
    return !argument && strcmp(name, "user_version") == 0;
}

static int allow_reading(void *ctx, int action, const char *a, const char *b, const char *c,
                         const char *d) {
    (void)ctx, (void)c, (void)d;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_READ:
        if (b && strcmp(b, "session_key") == 0) return SQLITE_IGNORE; /* reads as NULL */
        return a && strncmp(a, "secret_", strlen("secret_")) == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_FUNCTION: return b && strcmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA: return a && is_harmless_pragma(a, b) ? SQLITE_OK : SQLITE_DENY;
    default: return SQLITE_DENY;
    }
}

enum status db_prepare_read_only(struct db *db, const char *sql, struct db_stmt **out,
                                 struct err *err) {
    struct db_stmt *s = NULL;
    sqlite3_set_authorizer(db->sqlite, allow_reading, NULL);
    enum status status = db_prepare_once(db, sql, &s, err);
    sqlite3_set_authorizer(db->sqlite, NULL, NULL);
    TRY(status);
    if (!sqlite3_stmt_readonly(s->stmt) || sqlite3_column_count(s->stmt) == 0) {
        db_finalize(s);
        return err_set(err, ST_DENIED, "only statements that read are allowed here",
                       "此处只允许读取的语句");
    }
    *out = s;
    return ST_OK;
}

/* ------------------------------------------------------------------ salvage
 *
 * Reads a range of rowids upwards until a damaged place, then downwards from the other end until
 * one, and halves what is left between: every row whose pages can be reached is found, each once.
 * The order is not that of the ids.
 */
struct salvage {
    struct db *db;
    struct db_stmt *up, *down;
    db_salvage_row *row;
    void *ctx;
    int64_t rows;
    int seeks;
};

static bool is_of_damage(enum status status) {
    return status == ST_DAMAGED || status == ST_DISK;
}

/* Rows from low to high in the statement's order. *out_last: the last that was read; *out_whole:
 * nothing was damaged. *out_any: at least one was read. */
static enum status salvage_run(struct salvage *v, struct db_stmt *s, int64_t low, int64_t high,
                               int64_t *out_last, bool *out_any, bool *out_whole, struct err *err) {
    bool row = true;
    *out_any = *out_whole = false;
    v->seeks++;
    db_reset(s);
    db_bind_int(s, 1, low);
    db_bind_int(s, 2, high);
    for (;;) {
        enum status status = db_step(s, &row, err);
        if (is_of_damage(status)) return ST_OK;
        TRY(status);
        if (!row) break;
        int64_t id = db_int(s, 0);
        status = v->row(v->ctx, s, err);
        if (status != ST_OK && !is_of_damage(status)) {
            db_reset(s);
            return status;
        }
        if (status == ST_OK) v->rows++;
        *out_last = id;
        *out_any = true;
    }
    db_reset(s);
    *out_whole = true;
    return ST_OK;
}

static enum status salvage_range(struct salvage *v, int64_t low, int64_t high, struct err *err) {
    int64_t last = 0;
    bool any, whole;
    if (low > high || v->seeks > SALVAGE_SEEKS_MAX) return ST_OK;
    TRY(salvage_run(v, v->up, low, high, &last, &any, &whole, err));
    if (whole || (any && last == high)) return ST_OK;
    if (any) low = last + 1;
    TRY(salvage_run(v, v->down, low, high, &last, &any, &whole, err));
    if (whole || (any && last == low)) return ST_OK;
    if (any) high = last - 1;
    if (low >= high) return ST_OK;
    int64_t middle = low + (high - low) / 2;
    TRY(salvage_range(v, low, middle, err));
    return salvage_range(v, middle + 1, high, err);
}

static enum status salvage_prepare(struct salvage *v, const char *table, const char *order,
                                   struct db_stmt **out, struct err *err) {
    struct buf sql SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    buf_printf(
        &sql,
        "SELECT rowid, * FROM \"%s\" NOT INDEXED WHERE rowid BETWEEN ? AND ? ORDER BY rowid %s",
        table, order);
    TRY(buf_status(&sql, err));
    return db_prepare_once(v->db, buf_text(&sql), out, err);
}

enum status db_salvage(struct db *damaged, const char *table, db_salvage_row *row, void *ctx,
                       int64_t *out_rows, struct err *err) {
    struct salvage v = {.db = damaged, .row = row, .ctx = ctx};
    enum status status = salvage_prepare(&v, table, "ASC", &v.up, err);
    if (status == ST_OK) status = salvage_prepare(&v, table, "DESC", &v.down, err);
    if (status == ST_OK) status = salvage_range(&v, -ROWID_FAR, ROWID_FAR, err);
    db_finalize(v.up);
    db_finalize(v.down);
    if (status == ST_OK) *out_rows = v.rows;
    return status;
}

/* ------------------------------------------------------------------ a schema that is gone
 *
 * Page 1 holds the file's head and the root of the schema's tree; when that is an interior page,
 * its leaves are named in it. Source: SQLite, "Database File Format", 1.3 and 1.6.
 */
enum { PAGE_BYTES = 4096, CHANGES_AT = 24, CHANGES_SEEN_AT = 92, TREE_AT = 100, TREE_INTERIOR = 5 };

static uint32_t big_end(const uint8_t *at, size_t bytes) {
    uint32_t number = 0;
    for (size_t i = 0; i < bytes; i++) number = number << 8 | at[i];
    return number;
}

static bool read_page(FILE *file, uint32_t number, uint8_t page[PAGE_BYTES]) {
    bool there = number > 0 && fseek(file, ((long)number - 1) * PAGE_BYTES, SEEK_SET) == 0;
    return there && fread(page, 1, PAGE_BYTES, file) == PAGE_BYTES;
}

static bool write_page(FILE *file, uint32_t number, const uint8_t page[PAGE_BYTES]) {
    bool there = number > 0 && fseek(file, ((long)number - 1) * PAGE_BYTES, SEEK_SET) == 0;
    return there && fwrite(page, 1, PAGE_BYTES, file) == PAGE_BYTES;
}

static bool copy_leaf(FILE *from, FILE *to, uint32_t number) {
    uint8_t page[PAGE_BYTES];
    return read_page(from, number, page) && write_page(to, number, page);
}

static bool copy_leaves(FILE *from, FILE *to, const uint8_t root[PAGE_BYTES]) {
    const uint8_t *tree = root + TREE_AT;
    size_t cells = big_end(tree + 3, 2);
    if (tree[0] != TREE_INTERIOR) return true;
    bool copied = cells <= PAGE_BYTES / 8 && copy_leaf(from, to, big_end(tree + 8, 4));
    for (size_t i = 0; copied && i < cells; i++) {
        size_t at = big_end(tree + 12 + 2 * i, 2);
        copied = at + 4 <= PAGE_BYTES && copy_leaf(from, to, big_end(root + at, 4));
    }
    return copied;
}

/* The count of changes and the one at which the length was noted differ then, so that the engine
 * takes the length from the file. */
static bool copy_schema(FILE *from, FILE *to) {
    uint8_t root[PAGE_BYTES];
    if (!read_page(from, 1, root)) return false;
    root[CHANGES_AT] = 1;
    root[CHANGES_SEEN_AT] = 0;
    return write_page(to, 1, root) && copy_leaves(from, to, root);
}

enum status db_mend_schema(const char *fresh_path, const char *damaged_path, struct err *err) {
    FILE *from = fopen(fresh_path, "rb"), *to = fopen(damaged_path, "r+b");
    bool copied = from && to && copy_schema(from, to);
    if (from) (void)fclose(from);
    if (to && fclose(to) != 0) copied = false;
    if (copied) return ST_OK;
    return err_set(err, ST_DAMAGED, "%s cannot be read at all", "%s 完全无法读取", damaged_path);
}

bool db_has_moved(const struct db *db) {
    int moved = 0;
    int code = sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return code == SQLITE_OK && moved != 0;
}

/* ------------------------------------------------------------------ bytes of the file */

enum { SEARCH_BYTES = 1024 * 1024 };

/* Blocks overlap, so that what lies across two is found. */
static int search_file(sqlite3_file *file, struct slice bytes, uint8_t *block, bool *out) {
    sqlite3_int64 size = 0;
    int code = file->pMethods->xFileSize(file, &size);
    for (sqlite3_int64 at = 0; code == SQLITE_OK && at < size && !*out;) {
        int part = size - at < SEARCH_BYTES ? (int)(size - at) : SEARCH_BYTES;
        code = file->pMethods->xRead(file, block, part, at);
        if (code == SQLITE_IOERR_SHORT_READ) code = SQLITE_OK; /* the rest is zeros */
        *out = code == SQLITE_OK && memmem(block, (size_t)part, bytes.data, bytes.len) != NULL;
        at += part < SEARCH_BYTES ? part : SEARCH_BYTES - (sqlite3_int64)bytes.len;
    }
    return code;
}

enum status db_file_has(struct db *db, struct slice bytes, bool *out, struct err *err) {
    sqlite3_file *file = NULL;
    uint8_t *block = malloc(SEARCH_BYTES);
    bool has = false;
    if (!block) return err_no_memory(err);
    int code = sqlite3_file_control(db->sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (code == SQLITE_OK && file && file->pMethods) code = search_file(file, bytes, block, &has);
    bytes_wipe(block, SEARCH_BYTES);
    free(block);
    if (code != SQLITE_OK) return db_fail(db, code, err);
    *out = has;
    return ST_OK;
}
