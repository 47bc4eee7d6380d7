/* The driver of the engine: what every statement of the store relies on. */
#include "syncd/store/db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/fault.h"
#include "tests/unit/fault_vfs.h"
#include "tests/unit/store_fixture.h"

static struct db *open_db(struct fixture *f) {
    struct db *db = NULL;
    struct err err;
    CHECK_OK(db_open(f->path, DB_CREATE, &db, &err));
    return db;
}

static int64_t number_of(struct db *db, const char *sql) {
    struct db_stmt *s = NULL;
    struct err err;
    bool row = false;
    CHECK_OK(db_prepare(db, sql, &s, &err));
    CHECK_OK(db_step(s, &row, &err));
    CHECK(row);
    int64_t number = db_int(s, 0);
    db_reset(s);
    return number;
}

TEST(a_missing_file_is_not_found_and_not_made) {
    struct fixture f;
    struct db *db = NULL;
    struct err err;
    fixture_start(&f);
    CHECK_STATUS(db_open(f.path, 0, &db, &err), ST_NOT_FOUND);
    CHECK_STATUS(db_open(f.path, DB_READ_ONLY, &db, &err), ST_NOT_FOUND);
    CHECK(access(f.path, F_OK) != 0);
    fixture_stop(&f);
}

TEST(a_new_file_and_its_log_are_for_the_owner_only) {
    struct fixture f;
    struct stat st;
    char wal[256];
    struct err err;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_exec(db, "CREATE TABLE t(a)", &err));
    CHECK(stat(f.path, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    snprintf(wal, sizeof wal, "%s-wal", f.path);
    CHECK(stat(wal, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    db_close(db);
    fixture_stop(&f);
}

TEST(a_file_that_is_no_database_is_damaged) {
    struct fixture f;
    struct db *db = NULL;
    struct err err;
    fixture_start(&f);
    FILE *file = fopen(f.path, "w");
    for (int i = 0; i < 1000; i++) fputs("this is not a database ", file);
    fclose(file);
    CHECK_STATUS(db_open(f.path, 0, &db, &err), ST_DAMAGED);
    CHECK(strstr(err.text[LANG_EN], "damaged"));
    CHECK(strstr(err.text[LANG_ZH], "损坏"));
    fixture_stop(&f);
}

TEST(the_same_text_gives_the_same_statement_and_a_busy_one_is_copied) {
    struct fixture f;
    struct db_stmt *a = NULL, *b = NULL, *c = NULL;
    struct err err;
    bool row;
    fixture_start(&f);
    struct db *db = open_db(&f);
    const char *sql = "SELECT 1 UNION ALL SELECT 2";
    CHECK_OK(db_prepare(db, sql, &a, &err));
    CHECK_OK(db_prepare(db, sql, &b, &err));
    CHECK(a == b);
    CHECK_OK(db_step(a, &row, &err));
    CHECK_OK(db_prepare(db, sql, &c, &err));
    CHECK(c != a);
    CHECK_OK(db_step(c, &row, &err));
    CHECK_INT(db_int(c, 0), 1);
    CHECK_OK(db_step(a, &row, &err));
    CHECK_INT(db_int(a, 0), 2);
    db_reset(a);
    db_reset(c);
    db_close(db);
    fixture_stop(&f);
}

TEST(a_statement_that_is_never_reset_is_found) {
    struct fixture f;
    struct db_stmt *s = NULL;
    struct err err;
    bool row;
    fixture_start(&f);
    struct db *db = open_db(&f);
    enum status status = ST_OK;
    for (int i = 0; i < 100 && status == ST_OK; i++) {
        status = db_prepare(db, "SELECT 1 UNION ALL SELECT 2", &s, &err);
        if (status == ST_OK) CHECK_OK(db_step(s, &row, &err));
    }
    CHECK_INT(status, ST_INTERNAL);
    db_close(db);
    fixture_stop(&f);
}

TEST(many_statements_are_kept_by_text_and_by_object) {
    struct fixture f;
    struct db_stmt *s = NULL;
    struct err err;
    int object;
    fixture_start(&f);
    struct db *db = open_db(&f);
    for (int64_t i = 0; i < 500; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT %lld", (long long)i);
        CHECK_INT(number_of(db, sql), i);
        CHECK_OK(db_prepare(db, sql, &s, &err));
        CHECK(db_kept(db, &object, 1, (uint64_t)i) == NULL);
        CHECK_OK(db_keep(db, &object, 1, (uint64_t)i, s, &err));
    }
    for (int64_t i = 0; i < 500; i++) {
        bool row;
        s = db_kept(db, &object, 1, (uint64_t)i);
        CHECK(s);
        CHECK_OK(db_step(s, &row, &err));
        CHECK_INT(db_int(s, 0), i);
        db_reset(s);
    }
    CHECK(db_kept(db, &object, 2, 1) == NULL);
    db_forget(db);
    CHECK(db_kept(db, &object, 1, 1) == NULL);
    db_close(db);
    fixture_stop(&f);
}

TEST(a_failed_bind_sticks_until_the_step) {
    struct fixture f;
    struct db_stmt *s = NULL;
    struct err err;
    bool row;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_prepare(db, "SELECT ?", &s, &err));
    db_bind_int(s, 9, 1);
    db_bind_int(s, 1, 1);
    CHECK_STATUS(db_step(s, &row, &err), ST_INTERNAL);
    CHECK_OK(db_step(s, &row, &err));
    db_reset(s);
    db_close(db);
    fixture_stop(&f);
}

TEST(values_come_back_as_they_went_in) {
    struct fixture f;
    struct db_stmt *s = NULL;
    struct err err;
    bool row;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_prepare(db, "SELECT ?, ?, ?, ?, 1.5", &s, &err));
    db_bind_int(s, 1, INT64_MIN);
    db_bind_text(s, 2, SLICE("拜访"));
    db_bind_blob(s, 3, SLICE("a\0b"));
    db_bind_null(s, 4);
    CHECK_OK(db_step(s, &row, &err));
    CHECK_INT(db_column_count(s), 5);
    CHECK(db_int(s, 0) == INT64_MIN && !db_is_text(s, 0));
    CHECK_SLICE(db_text(s, 1), "拜访");
    CHECK(db_is_text(s, 1));
    CHECK_SLICE(db_blob(s, 2), "a\0b");
    CHECK(db_is_null(s, 3));
    CHECK(db_is_real(s, 4) && db_real(s, 4) > 1.4 && db_real(s, 4) < 1.6);
    db_reset(s);
    db_close(db);
    fixture_stop(&f);
}

TEST(a_rollback_leaves_nothing_and_a_commit_everything) {
    struct fixture f;
    struct err err;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_exec(db, "CREATE TABLE t(a)", &err));
    CHECK_OK(db_begin(db, true, &err));
    CHECK(db_in_transaction(db));
    CHECK_OK(db_exec(db, "INSERT INTO t VALUES(1)", &err));
    db_rollback(db);
    CHECK(!db_in_transaction(db));
    CHECK_INT(number_of(db, "SELECT count(*) FROM t"), 0);
    CHECK_OK(db_begin(db, true, &err));
    CHECK_OK(db_exec(db, "INSERT INTO t VALUES(1), (2)", &err));
    CHECK_INT(db_changes(db), 2);
    CHECK_OK(db_commit(db, &err));
    CHECK_INT(number_of(db, "SELECT count(*) FROM t"), 2);
    db_rollback(db);                                       /* without one: nothing happens */
    db_close(db);
    fixture_stop(&f);
}

TEST(nothing_is_saved_into_a_file_that_was_set_aside) {
    struct fixture f;
    struct err err;
    char aside[256];
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_exec(db, "CREATE TABLE t(a)", &err));
    snprintf(aside, sizeof aside, "%s.aside", f.path);
    CHECK_OK(db_begin(db, true, &err));
    CHECK_OK(db_exec(db, "INSERT INTO t VALUES(1)", &err));
    CHECK_INT(rename(f.path, aside), 0);
    CHECK_STATUS(db_commit(db, &err), ST_BUSY);
    CHECK(!db_in_transaction(db));
    CHECK_INT(rename(aside, f.path), 0);
    CHECK_INT(number_of(db, "SELECT count(*) FROM t"), 0);
    db_close(db);
    fixture_stop(&f);
}

TEST(a_write_on_an_old_view_of_the_file_is_busy_and_the_version_moves) {
    struct fixture f;
    struct err err;
    int64_t before, after;
    fixture_start(&f);
    struct db *a = open_db(&f), *b = open_db(&f);
    CHECK_OK(db_exec(a, "CREATE TABLE t(a)", &err));
    CHECK_OK(db_data_version(a, &before, &err));
    CHECK_OK(db_begin(a, false, &err));
    CHECK_INT(number_of(a, "SELECT count(*) FROM t"), 0);
    CHECK_OK(db_exec(b, "INSERT INTO t VALUES(1)", &err));
    CHECK_STATUS(db_exec(a, "INSERT INTO t VALUES(2)", &err), ST_BUSY);
    db_rollback(a);
    CHECK_OK(db_data_version(a, &after, &err));
    CHECK(after != before);
    CHECK_OK(db_data_version(a, &before, &err));
    CHECK(after == before);
    CHECK_OK(db_checkpoint(a, &err));
    db_close(a);
    db_close(b);
    fixture_stop(&f);
}

TEST(a_read_only_handle_does_not_write) {
    struct fixture f;
    struct err err;
    struct db *reader = NULL;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_exec(db, "CREATE TABLE t(a)", &err));
    CHECK_OK(db_open(f.path, DB_READ_ONLY, &reader, &err));
    CHECK_STATUS(db_exec(reader, "INSERT INTO t VALUES(1)", &err), ST_DENIED);
    CHECK_INT(number_of(reader, "SELECT count(*) FROM t"), 0);
    db_close(reader);
    db_close(db);
    fixture_stop(&f);
}

TEST(statements_of_people_only_read) {
    static const struct {
        const char *name, *sql;
        enum status status;
    } ROWS[] = {
        {"select", "SELECT * FROM t", ST_OK},
        {"with", "WITH x AS (SELECT a FROM t) SELECT count(*) FROM x;  ", ST_OK},
        {"table_info", "PRAGMA table_info(t)", ST_OK},
        {"explain", "EXPLAIN QUERY PLAN SELECT * FROM t", ST_OK},
        {"insert", "INSERT INTO t VALUES(1)", ST_DENIED},
        {"insert returning", "INSERT INTO t VALUES(1) RETURNING a", ST_DENIED},
        {"delete", "DELETE FROM t", ST_DENIED},
        {"drop", "DROP TABLE t", ST_DENIED},
        {"create", "CREATE TEMP TABLE u(a)", ST_DENIED},
        {"attach", "ATTACH 'other.db' AS o", ST_DENIED},
        {"vacuum", "VACUUM INTO 'copy.db'", ST_DENIED},
        {"pragma write", "PRAGMA journal_mode = DELETE", ST_DENIED},
        {"pragma version write", "PRAGMA user_version = 7", ST_DENIED},
        {"begin", "BEGIN", ST_DENIED},
        {"secret", "SELECT key FROM secret_t", ST_DENIED},
        {"secret in a subquery", "SELECT a FROM t WHERE a = (SELECT key FROM secret_t)", ST_DENIED},
        {"two statements", "SELECT 1; SELECT 2", ST_INVALID},
        {"nothing", "  ", ST_INVALID},
        {"nonsense", "SELEKT 1", ST_INVALID},
    };
    struct fixture f;
    struct err err;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_exec(db, "CREATE TABLE t(a); CREATE TABLE secret_t(key)", &err));
    for EACH(row, ROWS) {
        struct db_stmt *s = NULL;
        CHECK_ROW_INT(row, db_prepare_read_only(db, row->sql, &s, &err), row->status);
        db_release(s);
    }
    CHECK_OK(db_exec(db, "INSERT INTO t VALUES(1)", &err));  /* the refusals bind people only */
    db_close(db);
    fixture_stop(&f);
}

/* ------------------------------------------------------------------ backup, damage */

static bool go_on(void *ctx, int64_t done, int64_t total) {
    (void)done, (void)total;
    return *(bool *)ctx;
}

TEST(a_backup_is_whole_or_not_there) {
    struct fixture f;
    struct err err;
    struct db *copy = NULL;
    char path[256];
    bool yes = true, no = false;
    fixture_start(&f);
    snprintf(path, sizeof path, "%s/backup.db", f.folder);
    struct db *db = open_db(&f);
    CHECK_OK(db_exec(db, "CREATE TABLE t(a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)"
                         " INSERT INTO t SELECT printf('%0100d', i) FROM n", &err));
    CHECK_STATUS(db_backup(db, path, go_on, &no, &err), ST_CANCELLED);
    CHECK(access(path, F_OK) != 0);
    CHECK_OK(db_backup(db, path, go_on, &yes, &err));
    CHECK_STATUS(db_backup(db, path, NULL, NULL, &err), ST_CONFLICT);
    CHECK_OK(db_open(path, 0, &copy, &err));
    CHECK_INT(number_of(copy, "SELECT count(*) FROM t"), 20000);
    CHECK_OK(db_begin(db, true, &err));
    CHECK_STATUS(db_backup(db, "/nowhere/at/all.db", NULL, NULL, &err), ST_BUSY);
    db_rollback(db);
    CHECK_STATUS(db_backup(db, "/nowhere/at/all.db", NULL, NULL, &err), ST_NOT_FOUND);
    db_close(copy);
    db_close(db);
    fixture_stop(&f);
}

static void spoil(const char *path, long page) {
    FILE *file = fopen(path, "r+");
    CHECK(file && fseek(file, page * 4096, SEEK_SET) == 0);
    for (int i = 0; i < 4096; i++) fputc(0x5A, file);
    fclose(file);
}

static enum status count_row(void *ctx, struct db_stmt *row, struct err *err) {
    uint8_t *seen = ctx;
    int64_t id = db_int(row, 0);
    (void)err;
    CHECK(id >= 1 && id <= 5000 && !seen[id]);
    CHECK_INT(db_int(row, 1), id);
    seen[id] = 1;
    return ST_OK;
}

TEST(salvage_reads_around_the_damage_each_row_once) {
    struct fixture f;
    struct err err;
    static uint8_t seen[5001];
    int64_t rows = 0, before = 0;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
                         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000)"
                         " INSERT INTO t SELECT i, printf('%0200d', i) FROM n", &err));
    db_close(db);
    spoil(f.path, 50);
    spoil(f.path, 51);
    spoil(f.path, 120);
    CHECK_OK(db_open(f.path, 0, &db, &err));
    struct buf findings = buf_new(BUF_MAX_LINE);
    CHECK_OK(db_integrity(db, &findings, &err));
    CHECK(findings.len > 0);
    buf_free(&findings);
    struct db_stmt *s = NULL;
    bool row = true;
    CHECK_OK(db_prepare(db, "SELECT id, a FROM t", &s, &err));
    enum status status = ST_OK;
    while (status == ST_OK && row) status = db_step(s, &row, &err), before++;
    CHECK_INT(status, ST_DAMAGED);
    memset(seen, 0, sizeof seen);
    CHECK_OK(db_salvage(db, "t", count_row, seen, &rows, &err));
    /* A page holds 19 rows of 210 bytes: three spoilt leaves cost 57. */
    CHECK_INT(rows, 5000 - 57);
    db_close(db);
    fixture_stop(&f);
}

/* ------------------------------------------------------------------ full text */

static const char *ids_of(struct db *db, const char *typed, struct arena *mem) {
    struct db_stmt *s = NULL;
    struct err err;
    bool row;
    char *ids = arena_printf(mem, "%s", "");
    enum status status = db_text_query(db, slice_from(typed), 0, mem, &s, &err);
    if (status != ST_OK) return status_name(status);
    for (;;) {
        CHECK_OK(db_step(s, &row, &err));
        if (!row) break;
        ids = arena_printf(mem, "%s%s%lld", ids, *ids ? " " : "", (long long)db_int(s, 0));
    }
    db_reset(s);
    return ids;
}

TEST(words_and_parts_of_chinese_texts_are_found) {
    static const struct {
        const char *name, *typed, *ids;
    } ROWS[] = {
        {"one character", "锦", "1"},
        {"two characters", "锦湖", "1"},
        {"three characters", "湖轮胎", "1"},
        {"from the middle", "湖轮", "1"},
        {"all of it", "锦湖轮胎股份有限公司", "1"},
        {"order matters", "湖锦", ""},
        {"two runs, both must occur", "轮胎 南京", "1"},
        {"a title goes before a body", "轮胎", "1 2"},
        {"latin, any case", "KUMHO", "1"},
        {"by its beginning", "kum", "1"},
        {"not by its middle", "umho", ""},
        {"full width", "ＫＵＭＨＯ", "1"},
        {"mixed", "3号门", "2"},
        {"mixed the other way", "A级客户", "2"},
        {"number by its beginning", "138", "2"},
        {"words apart", "kumho tire", "1"},
        {"accents and case", "MÜLLER", "3"},
        {"cyrillic", "МОСКВА", "3"},
        {"greek", "ΑΘΉΝΑ", "3"},
        {"hangul", "금호", "3"},
        {"kana", "タイヤ", "3"},
        {"signs separate", "müller-straße", "3"},
        {"a quote is a sign", "\"kumho\" OR *", ""},
        {"nothing to search for", " -*\"() ", "INVALID"},
        {"no such", "不存在", ""},
    };
    struct fixture f;
    struct err err;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_text_create(db, &err));
    CHECK_OK(db_text_add(db, 1, SLICE("锦湖轮胎股份有限公司"), SLICE("Kumho Tire Co.\n南京"), &err));
    CHECK_OK(db_text_add(db, 2, SLICE("某公司"), SLICE("轮胎经销商，A级客户，3号门，13812345678"), &err));
    CHECK_OK(db_text_add(db, 3, SLICE("Müller-Straße"), SLICE("москва αθήνα 금호타이어 タイヤ"), &err));
    for EACH(row, ROWS) CHECK_ROW_TEXT(row, ids_of(db, row->typed, &f.mem), row->ids);
    CHECK_OK(db_text_remove(db, 1, SLICE("锦湖轮胎股份有限公司"), SLICE("Kumho Tire Co.\n南京"), &err));
    CHECK_TEXT(ids_of(db, "轮胎", &f.mem), "2");
    CHECK_TEXT(ids_of(db, "kumho", &f.mem), "");
    CHECK_OK(db_text_clear(db, &err));
    CHECK_TEXT(ids_of(db, "轮胎", &f.mem), "");
    db_close(db);
    fixture_stop(&f);
}

TEST(the_sum_of_the_index_is_the_sum_of_its_rows) {
    struct fixture f;
    struct err err;
    uint64_t sum;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_text_create(db, &err));
    CHECK_OK(db_text_add(db, 1, SLICE("甲 a"), SLICE("b c b"), &err));
    CHECK_OK(db_text_add(db, 2, SLICE("a"), SLICE(""), &err));
    CHECK_OK(db_text_sum(db, &sum, &err));
    CHECK(sum == db_text_sum_row(1, SLICE("甲 a"), SLICE("b c b")) + db_text_sum_row(2, SLICE("a"), SLICE("")));
    CHECK(sum != db_text_sum_row(1, SLICE("甲 a"), SLICE("b c")) + db_text_sum_row(2, SLICE("a"), SLICE("")));
    CHECK(db_text_sum_row(1, SLICE("a"), SLICE("")) != db_text_sum_row(1, SLICE(""), SLICE("a")));
    CHECK(db_text_sum_row(1, SLICE("a b"), SLICE("")) != db_text_sum_row(1, SLICE("b a"), SLICE("")));
    CHECK_OK(db_text_remove(db, 1, SLICE("甲 a"), SLICE("b c b"), &err));
    CHECK_OK(db_text_sum(db, &sum, &err));
    CHECK(sum == db_text_sum_row(2, SLICE("a"), SLICE("")));
    db_close(db);
    fixture_stop(&f);
}

/* ------------------------------------------------------------------ a disk and a memory that fail */

static enum status two_rows(struct db *db, int64_t n, struct err *err) {
    struct db_stmt *s = NULL;
    TRY(db_begin(db, true, err));
    enum status status = db_prepare(db, "INSERT INTO t(a, b) VALUES(?, ?)", &s, err);
    for (int i = 0; i < 2 && status == ST_OK; i++) {
        db_bind_int(s, 1, n);
        db_bind_text(s, 2, SLICE("text"));
        status = db_run(s, err);
        if (status == ST_OK) status = db_prepare(db, "INSERT INTO t(a, b) VALUES(?, ?)", &s, err);
    }
    if (status == ST_OK) return db_commit(db, err);
    db_rollback(db);
    return status;
}

TEST(a_full_or_broken_disk_loses_nothing_and_the_rerun_succeeds) {
    struct err err;
    for (int kind = FAULT_DISK_FULL; kind <= FAULT_DISK_BROKEN; kind++) {
        struct fixture f;
        fixture_start(&f);
        struct db *db = open_db(&f);
        CHECK_OK(db_exec(db, "CREATE TABLE t(a, b)", &err));
        int64_t done = 0;
        bool was_hit = true;
        for (size_t n = 1; was_hit; n++) {
            fault_vfs_arm(n, (enum fault_disk)kind, true);
            enum status status = two_rows(db, (int64_t)n, &err);
            was_hit = fault_vfs_fired();
            fault_vfs_disarm();
            CHECK(status == ST_OK || status == ST_DISK);
            CHECK(was_hit || status == ST_OK);
            if (status == ST_OK) done++;
            CHECK(!db_in_transaction(db));
            CHECK_INT(number_of(db, "SELECT count(*) FROM t"), done * 2);
            CHECK_OK(two_rows(db, (int64_t)n, &err));
            done++;
            CHECK(n < 100);
        }
        db_close(db);
        CHECK_OK(db_open(f.path, 0, &db, &err));
        CHECK_INT(number_of(db, "SELECT count(*) FROM t"), done * 2);
        struct buf findings = buf_new(BUF_MAX_LINE);
        CHECK_OK(db_integrity(db, &findings, &err));
        CHECK_INT(findings.len, 0);
        buf_free(&findings);
        db_close(db);
        fixture_stop(&f);
    }
}

TEST(the_full_disk_says_so) {
    struct fixture f;
    struct err err;
    fixture_start(&f);
    struct db *db = open_db(&f);
    fault_vfs_arm(1, FAULT_DISK_FULL, true);
    CHECK_STATUS(db_exec(db, "CREATE TABLE t(a)", &err), ST_DISK);
    fault_vfs_disarm();
    CHECK(strstr(err.text[LANG_EN], "the disk is full"));
    struct fault_vfs_counts counts;
    fault_vfs_counts_reset();
    CHECK_OK(db_exec(db, "CREATE TABLE t(a)", &err));
    fault_vfs_counts(&counts);
    CHECK(counts.writes > 0 && counts.syncs > 0 && counts.wal_bytes > 4096 && counts.bytes >= counts.wal_bytes);
    db_close(db);
    fixture_stop(&f);
}

TEST(memory_that_runs_out_while_opening_or_writing_leaves_the_file_whole) {
    struct err err;
    struct fixture f;
    fixture_start(&f);
    struct db *db = open_db(&f);
    CHECK_OK(db_exec(db, "CREATE TABLE t(a, b)", &err));
    CHECK_OK(db_text_create(db, &err));
    db_close(db);
    int64_t done = 0;
    bool was_hit = true;
    for (size_t n = 1; was_hit; n += 1 + n / 20) {
        db = NULL;
        fault_arm(n);
        enum status status = db_open(f.path, 0, &db, &err);
        if (status == ST_OK) status = two_rows(db, 1, &err);
        was_hit = fault_fired();
        fault_disarm();
        /* FTS5 could not be asked: SQLite forgets why. */
        CHECK(status == ST_OK || status == ST_NO_MEMORY || status == ST_INTERNAL || status == ST_DISK);
        CHECK(was_hit || status == ST_OK);
        if (status == ST_OK) done++;
        db_close(db);
    }
    CHECK_OK(db_open(f.path, 0, &db, &err));
    CHECK_INT(number_of(db, "SELECT count(*) FROM t"), done * 2);
    db_close(db);
    fixture_stop(&f);
}

__attribute__((constructor)) static void install(void) {
    fault_vfs_own_memory();
    fault_vfs_install();
}
