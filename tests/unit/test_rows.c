/* Rows: every field of the catalogue goes in and comes out, in both roles; views; migration. */
#include "syncd/store/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/fault.h"
#include "tests/unit/fault_vfs.h"
#include "tests/unit/store_fixture.h"

static struct db *open_rows(struct fixture *f, enum rows_role role) {
    struct db *db = NULL;
    struct err err;
    fixture_start(f);
    CHECK_OK(db_open(f->path, DB_CREATE, &db, &err));
    CHECK_OK(rows_schema(db, &f->cat, role, &err));
    return db;
}

static void close_rows(struct fixture *f, struct db *db) {
    db_close(db);
    fixture_stop(f);
}

static void check_values(const struct entity *e, const struct value *actual, const struct value *expected) {
    for (size_t i = 0; i < e->field_count; i++)
        if (!value_equal(actual[i], expected[i])) check_fail(CHECK_HERE, "%s.%s differs", e->name, e->fields[i].name);
}

static const char *text_of(struct fixture *f, struct db *db, const char *sql) {
    struct db_stmt *s = NULL;
    struct err err;
    bool row = false;
    char *text = arena_printf(&f->mem, "%s", "");
    CHECK_OK(db_prepare_read_only(db, sql, &s, &err));
    CHECK_OK(db_step(s, &row, &err));
    for (int i = 0; row && i < db_column_count(s); i++) {
        struct slice cell = db_text(s, i);
        text = arena_printf(&f->mem, "%s%s%.*s", text, i > 0 ? "|" : "", (int)cell.len, cell.data ? (const char *)cell.data : "");
    }
    db_release(s);
    return text;
}

/* ------------------------------------------------------------------ every field */

static void round_trip(struct fixture *f, struct db *db, const struct entity *e, enum rows_role role, int64_t id) {
    struct err err;
    struct value *values = fixture_values(e, id & 0xFFFF, &f->mem), *read;
    struct row_meta meta = {.seq = 77, .more = SLICE("m")}, got;
    bool found = false;
    if (role == ROWS_SERVER) {
        meta.whole = 70;
        meta.gone = 75;
        meta.clock = SLICE("clock");
    } else {
        meta.gone = 2;
    }
    CHECK_OK(rows_insert(db, e, role, id, values, &meta, true, &err));
    CHECK_OK(rows_read(db, e, role, id, &f->mem, &read, &got, &found, &err));
    CHECK(found);
    check_values(e, read, values);
    CHECK_INT(got.seq, 77);
    CHECK_INT(got.gone, meta.gone);
    CHECK_INT(got.whole, meta.whole);
    CHECK_SLICES(got.clock, meta.clock);
    CHECK_SLICE(got.more, "m");
}

TEST(every_field_of_every_entity_comes_back_in_both_roles) {
    struct err err;
    for (int role = ROWS_LAPTOP; role <= ROWS_SERVER; role++) {
        struct fixture f;
        struct db *db = open_rows(&f, (enum rows_role)role);
        for (size_t i = 0; i < f.cat.count; i++) {
            const struct entity *e = &f.cat.entities[i];
            int64_t id = id_make(3, (uint32_t)i + 1);
            struct value *empty = fixture_empty(e, &f.mem), *read;
            struct row_meta meta = {0}, got;
            bool found = false;
            round_trip(&f, db, e, (enum rows_role)role, id);
            CHECK_OK(rows_insert(db, e, (enum rows_role)role, id + 1000, empty, &meta, true, &err));
            CHECK_OK(rows_read(db, e, (enum rows_role)role, id + 1000, &f.mem, &read, &got, &found, &err));
            check_values(e, read, empty);
            CHECK(got.seq == 0 && got.gone == 0 && got.whole == 0 && got.clock.len == 0 && got.more.len == 0);
            CHECK_OK(rows_read(db, e, (enum rows_role)role, id + 2000, &f.mem, &read, &got, &found, &err));
            CHECK(!found);
        }
        close_rows(&f, db);
    }
}

TEST(an_update_writes_the_cells_of_its_mask_and_no_other) {
    struct err err;
    for (int role = ROWS_LAPTOP; role <= ROWS_SERVER; role++) {
        struct fixture f;
        struct db *db = open_rows(&f, (enum rows_role)role);
        for (size_t i = 0; i < f.cat.count; i++) {
            const struct entity *e = &f.cat.entities[i];
            struct value *now = fixture_values(e, 500, &f.mem), *other = fixture_values(e, 600, &f.mem), *read;
            struct row_meta meta = {.seq = 1}, got;
            int64_t id = id_make(1, (uint32_t)i + 1);
            bool found;
            CHECK_OK(rows_insert(db, e, (enum rows_role)role, id, now, &meta, true, &err));
            for (size_t c = 0; c < e->cell_count; c++) {
                struct value *old = ARENA_ARRAY(&f.mem, e->field_count, struct value);
                memcpy(old, now, e->field_count * sizeof *old);
                for (size_t k = 0; k < e->cells[c].count; k++) now[e->cells[c].first + k] = other[e->cells[c].first + k];
                meta.seq++;
                CHECK_OK(rows_update(db, e, (enum rows_role)role, id, UINT64_C(1) << e->cells[c].index, now, &meta, true, old, &err));
                CHECK_OK(rows_read(db, e, (enum rows_role)role, id, &f.mem, &read, &got, &found, &err));
                check_values(e, read, now);
                CHECK_INT(got.seq, meta.seq);
            }
            meta.gone = 5;
            CHECK_OK(rows_update(db, e, (enum rows_role)role, id, 0, other, &meta, false, NULL, &err));
            CHECK_OK(rows_read(db, e, (enum rows_role)role, id, &f.mem, &read, &got, &found, &err));
            check_values(e, read, now);
            CHECK_INT(got.gone, 5);
            CHECK_OK(rows_delete(db, e, id, true, now, &err));
            CHECK_OK(rows_read(db, e, (enum rows_role)role, id, &f.mem, &read, &got, &found, &err));
            CHECK(!found);
        }
        uint64_t sum;
        CHECK_OK(db_text_sum(db, &sum, &err));
        CHECK(sum == 0);                                   /* what went in went out again */
        close_rows(&f, db);
    }
}

/* ------------------------------------------------------------------ keys, owners */

TEST(a_natural_key_finds_its_row_in_parts_too) {
    struct fixture f;
    struct err err;
    int64_t id;
    struct db *db = open_rows(&f, ROWS_LAPTOP);
    const struct entity *territory = fixture_entity(&f, "territory"), *p = fixture_entity(&f, "visit_participant");
    struct value *values = fixture_empty(territory, &f.mem);
    struct row_meta living = {.seq = 1}, gone = {.seq = 1, .gone = 1};
    CHECK_OK(rows_by_key(db, territory, ROWS_LAPTOP, values, &id, &err));
    CHECK_INT(id, 0);
    fixture_set(territory, values, "code", text_value("EAST"));
    CHECK_OK(rows_insert(db, territory, ROWS_LAPTOP, 5, values, &gone, false, &err));
    CHECK_OK(rows_by_key(db, territory, ROWS_LAPTOP, values, &id, &err));
    CHECK_INT(id, 0);
    CHECK_OK(rows_insert(db, territory, ROWS_LAPTOP, 6, values, &living, false, &err));
    CHECK_OK(rows_by_key(db, territory, ROWS_LAPTOP, values, &id, &err));
    CHECK_INT(id, 6);
    values = fixture_empty(p, &f.mem);
    fixture_set(p, values, "visit", value_int(100));
    CHECK_OK(rows_insert(db, p, ROWS_LAPTOP, 7, values, &living, false, &err));
    CHECK_OK(rows_by_key(db, p, ROWS_LAPTOP, values, &id, &err));
    CHECK_INT(id, 0);                                      /* the visit alone names nobody */
    fixture_set(p, values, "employee", value_int(200));
    CHECK_OK(rows_insert(db, p, ROWS_LAPTOP, 8, values, &living, false, &err));
    CHECK_OK(rows_by_key(db, p, ROWS_LAPTOP, values, &id, &err));
    CHECK_INT(id, 8);
    close_rows(&f, db);
}

TEST(the_server_finds_dead_rows_by_key_after_living_ones) {
    struct fixture f;
    struct err err;
    int64_t id;
    struct db *db = open_rows(&f, ROWS_SERVER);
    const struct entity *e = fixture_entity(&f, "product");
    struct value *values = fixture_empty(e, &f.mem);
    struct row_meta living = {.seq = 1}, dead = {.seq = 1, .gone = 9};
    fixture_set(e, values, "sku", text_value("A-1"));
    CHECK_OK(rows_insert(db, e, ROWS_SERVER, 5, values, &dead, false, &err));
    CHECK_OK(rows_by_key(db, e, ROWS_SERVER, values, &id, &err));
    CHECK_INT(id, 5);
    CHECK_OK(rows_insert(db, e, ROWS_SERVER, 6, values, &living, false, &err));
    CHECK_OK(rows_by_key(db, e, ROWS_SERVER, values, &id, &err));
    CHECK_INT(id, 6);
    close_rows(&f, db);
}

TEST(owned_rows_are_listed_living_ones_only) {
    struct fixture f;
    struct err err;
    int64_t *ids;
    size_t count;
    struct db *db = open_rows(&f, ROWS_LAPTOP);
    const struct entity *e = fixture_entity(&f, "contact");
    struct value *values = fixture_empty(e, &f.mem);
    fixture_set(e, values, "account", value_int(42));
    for (int64_t i = 1; i <= 50; i++) {
        struct row_meta meta = {.seq = 1, .gone = i == 7};
        CHECK_OK(rows_insert(db, e, ROWS_LAPTOP, i, values, &meta, false, &err));
    }
    CHECK_OK(rows_owned(db, e, ROWS_LAPTOP, 42, &f.mem, &ids, &count, &err));
    CHECK_INT(count, 49);
    CHECK(ids[0] == 1 && ids[6] == 8 && ids[48] == 50);
    CHECK_OK(rows_owned(db, e, ROWS_LAPTOP, 43, &f.mem, &ids, &count, &err));
    CHECK_INT(count, 0);
    CHECK_OK(rows_owned(db, fixture_entity(&f, "account"), ROWS_LAPTOP, 42, &f.mem, &ids, &count, &err));
    CHECK_INT(count, 0);
    close_rows(&f, db);
}

/* ------------------------------------------------------------------ unknown cells */

TEST(unknown_cells_are_kept_by_tag_and_replaced) {
    struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct err err;
    struct slice more = {0};
    struct record_cell *cells;
    size_t count;
    struct value one[2] = {value_int(-5), value_null()}, two[1] = {text_value("二")}, three[1] = {value_int(INT64_MAX)};
    struct record_cell nine = {9, one, 2}, four = {4, two, 1}, again = {9, three, 1}, gone = {4, one + 1, 1};
    CHECK_OK(rows_more_put(more, &nine, &mem, &more, &err));
    CHECK_OK(rows_more_put(more, &four, &mem, &more, &err));
    CHECK_OK(rows_more_read(more, &mem, &cells, &count, &err));
    CHECK_INT(count, 2);
    CHECK(cells[0].cell_tag == 4 && cells[1].cell_tag == 9 && cells[1].value_count == 2);
    CHECK_SLICE(cells[0].values[0].text, "二");
    CHECK(cells[1].values[0].number == -5 && cells[1].values[1].kind == VALUE_NULL);
    CHECK_OK(rows_more_put(more, &again, &mem, &more, &err));
    CHECK_OK(rows_more_put(more, &gone, &mem, &more, &err));
    CHECK_OK(rows_more_read(more, &mem, &cells, &count, &err));
    CHECK_INT(count, 1);
    CHECK(cells[0].values[0].number == INT64_MAX);
    for (size_t len = 1; len < more.len; len++)
        CHECK_STATUS(rows_more_read(slice_of(more.data, len), &mem, &cells, &count, &err), ST_DAMAGED);
    again.value_count = 0;
    CHECK_OK(rows_more_put(more, &again, &mem, &more, &err));
    CHECK_INT(more.len, 0);
    arena_clear(&mem);
}

/* ------------------------------------------------------------------ what people read */

TEST(views_show_what_people_read) {
    struct fixture f;
    struct err err;
    struct db *db = open_rows(&f, ROWS_LAPTOP);
    const struct entity *account = fixture_entity(&f, "account"), *visit = fixture_entity(&f, "visit");
    const struct entity *opportunity = fixture_entity(&f, "opportunity");
    struct row_meta meta = {.seq = 12}, own = {.seq = -3}, gone = {.seq = 12, .gone = 1};
    struct value *a = fixture_empty(account, &f.mem), *v = fixture_empty(visit, &f.mem);
    struct value *o = fixture_empty(opportunity, &f.mem);
    int64_t id = id_make(3, 63);
    fixture_set(account, a, "name", text_value("锦湖轮胎"));
    fixture_set(account, a, "credit_limit", value_int(123456));
    fixture_set(account, a, "tier", value_int(4));
    fixture_set(account, a, "founded_on", value_int(-1));
    fixture_set(account, a, "tags", text_value("甲\n乙"));
    CHECK_OK(rows_insert(db, account, ROWS_LAPTOP, id, a, &meta, true, &err));
    CHECK_OK(rows_insert(db, account, ROWS_LAPTOP, id + 1, a, &gone, true, &err));
    fixture_set(visit, v, "account", value_int(id));
    fixture_set(visit, v, "business_date", value_int(20454));  /* 2026-01-01 */
    fixture_set(visit, v, "started_at", value_int(INT64_C(1767225600000)));
    fixture_set(visit, v, "ended_at", value_int(INT64_C(1767225600000) + 45 * 60000));
    fixture_set(visit, v, "lat", value_int(312304160));
    CHECK_OK(rows_insert(db, visit, ROWS_LAPTOP, id + 2, v, &own, true, &err));
    fixture_set(visit, v, "business_date", value_int(20460));
    CHECK_OK(rows_insert(db, visit, ROWS_LAPTOP, id + 3, v, &gone, true, &err));
    fixture_set(opportunity, o, "account", value_int(id));
    CHECK_OK(rows_insert(db, opportunity, ROWS_LAPTOP, id + 4, o, &meta, true, &err));
    CHECK_OK(rows_insert(db, opportunity, ROWS_LAPTOP, id + 5, o, &gone, true, &err));
    CHECK_TEXT(text_of(&f, db, "SELECT count(*) FROM account"), "1");
    CHECK_TEXT(text_of(&f, db, "SELECT name, credit_limit, tier, founded_on, seq, created_device FROM account"),
               "锦湖轮胎|1234.56|strategic|1969-12-31|12|3");
    CHECK_TEXT(text_of(&f, db, "SELECT tags FROM account"), "甲\n乙");
    /* The visit and the opportunity that are hidden do not count. */
    CHECK_TEXT(text_of(&f, db, "SELECT last_visit_on, open_opportunities FROM account"), "2026-01-01|1");
    CHECK_TEXT(text_of(&f, db, "SELECT business_date, followup_due, started_at, duration_min, lat, seq FROM visit"),
               "2026-01-01|2026-01-08|2026-01-01T00:00:00Z|45|31.230416|0");
    CHECK_TEXT(text_of(&f, db, "SELECT count(*) FROM \"order\""), "0");
    close_rows(&f, db);
}

TEST(short_ids_in_views_are_those_of_the_program) {
    static const int64_t IDS[] = {1, 31, 32, 4294967296, 4294967297, 12884901951, 9007199254740991, 123456789012345};
    struct fixture f;
    struct err err;
    struct db *db = open_rows(&f, ROWS_SERVER);
    const struct entity *e = fixture_entity(&f, "territory");
    struct row_meta meta = {.seq = 1};
    for (size_t i = 0; i < ARRAY_COUNT(IDS); i++) {
        char text[ID_TEXT_BYTES];
        CHECK_OK(rows_insert(db, e, ROWS_SERVER, IDS[i], fixture_empty(e, &f.mem), &meta, false, &err));
        id_format(IDS[i], text);
        const char *sql = arena_printf(&f.mem, "SELECT short_id FROM territory WHERE id = %lld", (long long)IDS[i]);
        CHECK_TEXT(text_of(&f, db, sql), text);
    }
    close_rows(&f, db);
}

static void check_golden(struct fixture *f, enum rows_role role, const char *path) {
    struct buf sql = buf_new(BUF_MAX_BATCH);
    struct err err;
    rows_schema_sql(&f->cat, role, &sql);
    CHECK_OK(buf_status(&sql, &err));
    if (getenv("UPDATE")) {
        FILE *out = fopen(path, "w");
        CHECK(out && fwrite(sql.data, 1, sql.len, out) == sql.len);
        fclose(out);
    }
    struct buf golden = buf_new(BUF_MAX_BATCH);
    FILE *in = fopen(path, "r");
    CHECK(in);
    char chunk[4096];
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, in)) > 0;) buf_put(&golden, chunk, n);
    fclose(in);
    if (!slice_equal(buf_slice(&sql), buf_slice(&golden)))
        check_fail(CHECK_HERE, "the schema differs from %s; UPDATE=1 rewrites it", path);
    buf_free(&sql);
    buf_free(&golden);
}

TEST(the_schema_is_the_one_that_was_reviewed) {
    struct fixture f;
    fixture_start(&f);
    check_golden(&f, ROWS_LAPTOP, "tests/golden/schema_laptop.sql");
    check_golden(&f, ROWS_SERVER, "tests/golden/schema_server.sql");
    fixture_stop(&f);
}

TEST(the_text_of_a_row_is_its_title_and_its_searched_fields) {
    struct fixture f;
    struct err err;
    struct slice title, body;
    fixture_start(&f);
    const struct entity *e = fixture_entity(&f, "contact");
    struct value *values = fixture_empty(e, &f.mem);
    CHECK_OK(rows_text(e, values, &f.mem, &title, &body, &err));
    CHECK(title.len == 0 && body.len == 0);
    fixture_set(e, values, "name", text_value("王芳"));
    fixture_set(e, values, "phones", text_value("138\n139"));
    fixture_set(e, values, "traits", text_value("not searched"));
    CHECK_OK(rows_text(e, values, &f.mem, &title, &body, &err));
    CHECK_SLICE(title, "王芳");
    CHECK_SLICE(body, "138\n139");
    fixture_set(e, values, "notes", text_value("爱喝茶"));
    CHECK_OK(rows_text(e, values, &f.mem, &title, &body, &err));
    CHECK_SLICE(body, "138\n139\n爱喝茶");
    fixture_stop(&f);
}

/* ------------------------------------------------------------------ migration */

/* An older release without the account's fields from remarks on: what came of them is in _more. */
static void make_older(struct fixture *f, struct catalogue *older) {
    struct err err;
    struct db *db = NULL;
    const struct entity *e;
    CHECK_OK(catalogue_without(&f->cat, 4, 30, &f->mem, older, &err));
    CHECK_OK(db_open(f->path, DB_CREATE, &db, &err));
    CHECK_OK(rows_schema(db, older, ROWS_LAPTOP, &err));
    e = catalogue_entity(older, SLICE("account"));
    for (int64_t id = 1; id <= 1203; id++) {
        struct value *values = fixture_empty(e, &f->mem);
        struct value remark = text_value("备注 remark"), country = text_value("中国"), unknown = value_int(5);
        struct record_cell cells[] = {{30, &remark, 1}, {32, &country, 1}, {99, &unknown, 1}};
        struct row_meta meta = {.seq = id};
        values[0] = text_value("Name");
        for (size_t i = 0; i < ARRAY_COUNT(cells) && id % 2; i++)
            CHECK_OK(rows_more_put(meta.more, &cells[i], &f->mem, &meta.more, &err));
        CHECK_OK(rows_insert(db, e, ROWS_LAPTOP, id, values, &meta, true, &err));
    }
    db_close(db);
}

TEST(cells_of_a_newer_release_move_into_their_columns) {
    struct fixture f;
    struct catalogue older;
    struct db *db = NULL;
    struct err err;
    struct value *values;
    struct row_meta meta;
    struct record_cell *cells;
    size_t count;
    bool found;
    fixture_start(&f);
    make_older(&f, &older);
    CHECK_OK(db_open(f.path, 0, &db, &err));
    CHECK_OK(rows_schema(db, &f.cat, ROWS_LAPTOP, &err));
    const struct entity *e = fixture_entity(&f, "account");
    CHECK_OK(rows_read(db, e, ROWS_LAPTOP, 1203, &f.mem, &values, &meta, &found, &err));
    CHECK_SLICE(values[entity_field_index(e, fixture_field(e, "remarks"))].text, "备注 remark");
    CHECK_SLICE(values[entity_field_index(e, fixture_field(e, "country"))].text, "中国");
    CHECK_INT(meta.seq, 1203);
    CHECK_OK(rows_more_read(meta.more, &f.mem, &cells, &count, &err));
    CHECK_INT(count, 1);
    CHECK_INT(cells[0].cell_tag, 99);
    CHECK_TEXT(text_of(&f, db, "SELECT count(*) FROM account WHERE country = '中国'"), "602");
    CHECK_TEXT(text_of(&f, db, "SELECT count(*) FROM account WHERE remarks IS NULL"), "601");
    CHECK_TEXT(text_of(&f, db, "SELECT count(*) FROM search WHERE search MATCH 'remark'"), "602");
    CHECK_OK(rows_schema(db, &f.cat, ROWS_LAPTOP, &err));  /* again: nothing changes */
    CHECK_TEXT(text_of(&f, db, "SELECT count(*) FROM account WHERE country = '中国'"), "602");
    close_rows(&f, db);
}

TEST(a_migration_that_fails_leaves_the_old_file) {
    struct fixture f;
    struct catalogue older;
    struct err err;
    bool was_hit = true;
    fixture_start(&f);
    make_older(&f, &older);
    for (size_t n = 1; was_hit; n = n * 2) {
        struct db *db = NULL;
        CHECK_OK(db_open(f.path, 0, &db, &err));
        fault_vfs_arm(n, FAULT_DISK_FULL, true);
        enum status status = rows_schema(db, &f.cat, ROWS_LAPTOP, &err);
        was_hit = fault_vfs_fired();
        fault_vfs_disarm();
        CHECK(status == ST_OK || status == ST_DISK);
        bool country = *text_of(&f, db, "SELECT 1 FROM pragma_table_info('r_account') WHERE name = 'country'");
        CHECK(country == (status == ST_OK));
        db_close(db);
    }
    fixture_stop(&f);
}

TEST(memory_that_runs_out_fails_one_call_and_no_row) {
    struct fixture f;
    struct err err;
    struct db *db = open_rows(&f, ROWS_LAPTOP);
    const struct entity *e = fixture_entity(&f, "visit");
    struct value *values = fixture_values(e, 1, &f.mem), *other = fixture_values(e, 2, &f.mem);
    struct row_meta meta = {.seq = 1};
    bool was_hit = true;
    for (size_t n = 1; was_hit; n++) {
        struct arena mem = arena_new(ARENA_CAP_DEFAULT);
        struct value *read;
        struct row_meta got;
        bool found;
        int64_t id = (int64_t)n;
        CHECK_OK(db_begin(db, true, &err));
        db_forget(db);
        fault_arm(n);
        enum status status = rows_insert(db, e, ROWS_LAPTOP, id, values, &meta, true, &err);
        if (status == ST_OK) status = rows_update(db, e, ROWS_LAPTOP, id, ~UINT64_C(0), other, &meta, true, values, &err);
        if (status == ST_OK) status = rows_read(db, e, ROWS_LAPTOP, id, &mem, &read, &got, &found, &err);
        was_hit = fault_fired();
        fault_disarm();
        CHECK(status == ST_OK || status == ST_NO_MEMORY);
        CHECK(was_hit || status == ST_OK);
        db_rollback(db);
        arena_clear(&mem);
    }
    CHECK_TEXT(text_of(&f, db, "SELECT count(*) FROM r_visit"), "0");
    close_rows(&f, db);
}

__attribute__((constructor)) static void install(void) {
    fault_vfs_own_memory();
    fault_vfs_install();
}
