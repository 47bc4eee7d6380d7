/* The second copy of head office's book, which grows with each commit (syncd/store/centre_copy.h),
 * in one run of eight: whatever happened, the book that it makes is head office's, table by table.
 */
#include "tests/sim/sim.h"

#include "syncd/platform/platform.h"
#include "syncd/store/centre_copy.h"
#include "syncd/store/db.h"

#define MADE "made.db"

static void copy_dir(const struct sim *s, char out[WORLD_PATH_BYTES + 8]) {
    snprintf(out, WORLD_PATH_BYTES + 8, "%s/copy", s->world.dir);
}

void sim_copy_begin(struct sim *s) {
    char dir[WORLD_PATH_BYTES + 8];
    struct err err;
    copy_dir(s, dir);
    if (centre_copy_start(org_centre(s->world.office), dir, NULL, NULL, &err) != ST_OK)
        sim_fail_err(s, "copy", &err);
}

/* ------------------------------------------------------------------ at rest */

/* The full-text index is the engine's own: it is made anew from the rows. */
static enum status list_tables(struct sim *s, struct db *db, struct slice *out, size_t room,
                               size_t *out_count, struct err *err) {
    struct db_stmt *st;
    bool row;
    *out_count = 0;
    TRY(db_prepare(db,
                   "SELECT name FROM book.sqlite_master WHERE type = 'table' AND name NOT LIKE"
                   " 'sqlite%' AND name NOT LIKE 'search%' ORDER BY name",
                   &st, err));
    for (;;) {
        TRY(db_step(st, &row, err));
        if (!row || *out_count == room) break;
        out[*out_count] = arena_copy(&s->mem, db_text(st, 0));
        ++*out_count;
    }
    db_reset(st);
    return ST_OK;
}

static enum status count_rows(struct db *db, struct slice table, const char *from, const char *less,
                              int64_t *out, struct err *err) {
    struct db_stmt *st;
    bool row;
    char sql[512];
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM (SELECT * FROM %s.\"%.*s\" EXCEPT SELECT * FROM %s.\"%.*s\")",
             from, (int)table.len, (const char *)table.data, less, (int)table.len,
             (const char *)table.data);
    TRY(db_prepare(db, sql, &st, err));
    TRY(db_step(st, &row, err));
    *out = row ? db_int(st, 0) : -1;
    db_reset(st);
    return ST_OK;
}

static enum status compare_tables(struct sim *s, struct db *made, struct err *err) {
    struct slice tables[128];
    size_t count;
    TRY(list_tables(s, made, tables, ARRAY_COUNT(tables), &count, err));
    for (size_t i = 0; i < count; i++) {
        int64_t missing, strange;
        char what[128];
        TRY(count_rows(made, tables[i], "book", "main", &missing, err));
        TRY(count_rows(made, tables[i], "main", "book", &strange, err));
        snprintf(what, sizeof what, "the copy's table %.*s is another", (int)tables[i].len,
                 (const char *)tables[i].data);
        if (missing || strange) sim_fail(s, what, missing, strange);
    }
    return count ? ST_OK : err_set(err, ST_INTERNAL, "no tables", "没有表");
}

static enum status make_book(struct sim *s, struct err *err) {
    char dir[WORLD_PATH_BYTES + 8];
    struct centre_copy copy;
    struct copy_read read;
    copy_dir(s, dir);
    TRY(centre_copy(org_centre(s->world.office), &copy, err));
    TRY(copy_book_at(dir, MADE, INT64_MAX, &read, err));
    /* A backup of the bytes of a disk that was full may hold a transaction that was refused, under
     * the number that another got: what was recorded wins over it. */
    bool refused = s->rolled && s->counts[SIM_SERVER_FULL];
    if (read.gap || (read.conflicts && !refused) || read.number != copy.number)
        sim_fail(s, "the copy is not whole", read.number, copy.number);
    return ST_OK;
}

void sim_copy_check(struct sim *s) {
    char dir[WORLD_PATH_BYTES], attach[WORLD_PATH_BYTES + 64];
    struct db *made = NULL;
    struct err err;
    if (!s->copied || s->failure[0]) return;
    world_server_dir(&s->world, dir);
    snprintf(attach, sizeof attach, "ATTACH '%s/demo.db' AS book", dir);
    enum status status = make_book(s, &err);
    if (status == ST_OK) status = db_open(MADE, 0, &made, &err);
    if (status == ST_OK) status = db_exec(made, attach, &err);
    if (status == ST_OK) status = compare_tables(s, made, &err);
    if (status != ST_OK) sim_fail_err(s, "the copy", &err);
    db_close(made);
}
