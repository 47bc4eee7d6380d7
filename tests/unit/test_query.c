/* The common part of a store: opening, getting, listing, finding, naming, checking. */
#include "syncd/store/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/store_fixture.h"

static void put(struct store *store, const struct entity *e, int64_t id, const struct value *values) {
    struct row_meta meta = {.seq = 10};
    struct err err;
    CHECK_OK(rows_insert(store_db(store), e, store->role, id, values, &meta, true, &err));
}

/* ------------------------------------------------------------------ opening */

TEST(a_store_opens_again_as_it_was_made) {
    struct fixture f;
    struct err err;
    struct store *store = NULL;
    fixture_start(&f);
    struct store_config config = {.path = f.path, .kind = STORE_LAPTOP, .catalogue = &f.cat, .env = fixture_env()};
    CHECK_STATUS(store_open(&config, &store, &err), ST_NOT_FOUND);
    store_close(fixture_store(&f, STORE_LAPTOP));
    CHECK_OK(store_open(&config, &store, &err));
    CHECK(store_catalogue(store) == &f.cat);
    store_close(store);
    config.kind = STORE_SERVER;
    CHECK_STATUS(store_open(&config, &store, &err), ST_INVALID);
    config.kind = STORE_LAPTOP;
    config.read_only = true;
    CHECK_OK(store_open(&config, &store, &err));
    CHECK_STATUS(store_setting_set(store, "a", SLICE("b"), &err), ST_DENIED);
    store_close(store);
    store_close(NULL);
    fixture_stop(&f);
}

TEST(a_file_of_a_newer_release_is_refused_and_left_alone) {
    struct fixture f;
    struct err err;
    struct store *store = fixture_store((fixture_start(&f), &f), STORE_LAPTOP);
    CHECK_OK(meta_int_set(store_db(store), "schema", STORE_SCHEMA_VERSION + 1, &err));
    store_close(store);
    struct store_config config = {.path = f.path, .kind = STORE_LAPTOP, .catalogue = &f.cat, .env = fixture_env()};
    CHECK_STATUS(store_open(&config, &store, &err), ST_VERSION);
    fixture_stop(&f);
}

TEST(a_database_of_something_else_is_refused) {
    struct fixture f;
    struct err err;
    struct db *db = NULL;
    struct store *store = NULL;
    fixture_start(&f);
    CHECK_OK(db_open(f.path, DB_CREATE, &db, &err));
    CHECK_OK(db_exec(db, "CREATE TABLE photos(a)", &err));
    db_close(db);
    struct store_config config = {.path = f.path, .kind = STORE_LAPTOP, .create = true, .catalogue = &f.cat, .env = fixture_env()};
    CHECK_STATUS(store_open(&config, &store, &err), ST_INVALID);
    fixture_stop(&f);
}

/* Of this process: a busy neighbour does not make a search slower. */
static double seconds(void) {
    struct timespec now;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

TEST(opening_a_file_that_is_up_to_date_is_fast) {
    struct fixture f;
    fixture_start(&f);
    store_close(fixture_store(&f, STORE_LAPTOP));
    double best = 1;
    for (int i = 0; i < 20; i++) {
        double start = seconds();
        store_close(fixture_store(&f, STORE_LAPTOP));
        double took = seconds() - start;
        if (took < best) best = took;
    }
    printf("opening takes %.2f ms\n", best * 1000);
    CHECK(best < 0.1);                                     /* 2 ms on a quiet machine without sanitizers */
    fixture_stop(&f);
}

TEST(an_older_release_that_becomes_the_newer_one_migrates_on_opening) {
    struct fixture f;
    struct err err;
    struct catalogue older, newer;
    struct row row;
    fixture_start(&f);
    newer = f.cat;
    CHECK_OK(catalogue_without(&newer, 4, 30, &f.mem, &older, &err));
    f.cat = older;
    struct store *store = fixture_store(&f, STORE_LAPTOP);
    const struct entity *e = fixture_entity(&f, "account");
    struct value *values = fixture_empty(e, &f.mem), remark = text_value("新备注");
    struct record_cell cell = {30, &remark, 1};
    struct row_meta meta = {.seq = 4};
    values[0] = text_value("甲");
    CHECK_OK(rows_more_put(meta.more, &cell, &f.mem, &meta.more, &err));
    CHECK_OK(rows_insert(store_db(store), e, ROWS_LAPTOP, 9, values, &meta, true, &err));
    store_close(store);
    f.cat = newer;
    struct store_config reader = {.path = f.path, .kind = STORE_LAPTOP, .read_only = true, .catalogue = &f.cat, .env = fixture_env()};
    CHECK_OK(store_open(&reader, &store, &err));
    CHECK(!store_is_current(store));
    store_close(store);
    store = fixture_store(&f, STORE_LAPTOP);
    CHECK(store_is_current(store));
    e = fixture_entity(&f, "account");
    CHECK_OK(store_get(store, e, 9, &f.mem, &row, &err));
    CHECK_SLICE(row.values[entity_field_index(e, fixture_field(e, "remarks"))].text, "新备注");
    store_close(store);
    fixture_stop(&f);
}

TEST(identity_and_settings_come_back) {
    struct fixture f;
    struct err err;
    struct slice value;
    struct store *store = fixture_store((fixture_start(&f), &f), STORE_LAPTOP);
    struct store_identity identity, got;
    CHECK_OK(store_identity(store, &identity, &err));
    CHECK_INT(identity.device, 0);
    identity = (struct store_identity){.org = "acme", .base_url = "https://a", .user = "wang", .org_label = "甲公司",
                                       .device = 7, .employee = 99, .has_tls_pin = true};
    memset(identity.key_seed, 1, sizeof identity.key_seed);
    memset(identity.tls_pin, 3, sizeof identity.tls_pin);
    CHECK_OK(store_identity_set(store, &identity, &err));
    CHECK_OK(store_identity(store, &got, &err));
    CHECK_TEXT(got.org, "acme");
    CHECK_TEXT(got.org_label, "甲公司");
    CHECK(got.device == 7 && got.employee == 99 && got.has_tls_pin);
    CHECK(memcmp(got.key_seed, identity.key_seed, sizeof got.key_seed) == 0);
    CHECK(memcmp(got.tls_pin, identity.tls_pin, sizeof got.tls_pin) == 0);
    identity.has_tls_pin = false;
    CHECK_OK(store_identity_set(store, &identity, &err));
    CHECK_OK(store_identity(store, &got, &err));
    CHECK(!got.has_tls_pin);
    CHECK_STATUS(store_setting(store, "lang", &f.mem, &value, &err), ST_NOT_FOUND);
    CHECK_OK(store_setting_set(store, "lang", SLICE("zh"), &err));
    CHECK_OK(store_setting_set(store, "lang", SLICE("en"), &err));
    CHECK_OK(store_setting(store, "lang", &f.mem, &value, &err));
    CHECK_SLICE(value, "en");
    store_close(store);
    fixture_stop(&f);
}

/* ------------------------------------------------------------------ a small book */

enum { EAST = 1, KUMHO = 101, KUMHO_PARTS = 102, ACME = 103, HIDDEN = 104, MERGED = 150, VISIT_A = 201, VISIT_B = 202 };

struct book {
    struct fixture f;
    struct store *store;
    const struct entity *account, *visit, *territory;
};

static void account(struct book *b, int64_t id, const char *name, const char *tags, int64_t tier, int64_t employees) {
    struct value *values = fixture_empty(b->account, &b->f.mem);
    fixture_set(b->account, values, "name", text_value(name));
    fixture_set(b->account, values, "tags", text_value(tags));
    fixture_set(b->account, values, "territory", value_int(EAST));
    if (tier) fixture_set(b->account, values, "tier", value_int(tier));
    if (employees) fixture_set(b->account, values, "employees", value_int(employees));
    put(b->store, b->account, id, values);
}

static void visit(struct book *b, int64_t id, int64_t of, int64_t day, const char *points) {
    struct value *values = fixture_empty(b->visit, &b->f.mem);
    fixture_set(b->visit, values, "account", value_int(of));
    fixture_set(b->visit, values, "business_date", value_int(day));
    fixture_set(b->visit, values, "talking_points", text_value(points));
    put(b->store, b->visit, id, values);
}

static void book_start(struct book *b, enum store_kind kind) {
    struct err err;
    fixture_start(&b->f);
    b->store = fixture_store(&b->f, kind);
    b->account = fixture_entity(&b->f, "account");
    b->visit = fixture_entity(&b->f, "visit");
    b->territory = fixture_entity(&b->f, "territory");
    struct value *values = fixture_empty(b->territory, &b->f.mem);
    fixture_set(b->territory, values, "code", text_value("1"));
    fixture_set(b->territory, values, "name", text_value("华东"));
    put(b->store, b->territory, EAST, values);
    account(b, KUMHO, "锦湖轮胎", "轮胎\n重点", 4, 3000);
    account(b, KUMHO_PARTS, "锦湖配件", "轮胎", 2, 0);
    account(b, ACME, "Acme 100%_Co", "汽车", 0, 50);
    account(b, HIDDEN, "Hidden", "轮胎", 0, 0);
    CHECK_OK(db_exec(store_db(b->store), kind == STORE_LAPTOP ? "UPDATE r_account SET _gone = 1 WHERE id = 104"
                                                            : "UPDATE r_account SET _dead = 1 WHERE id = 104", &err));
    if (kind == STORE_LAPTOP)
        CHECK_OK(db_text_remove(store_db(b->store), HIDDEN, SLICE("Hidden"), SLICE("轮胎"), &err));
    CHECK_OK(db_exec(store_db(b->store), "INSERT INTO alias VALUES(150, 101)", &err));
    visit(b, VISIT_A, KUMHO, 20454, "客户抱怨交货太慢。\n下周与王经理讨论新的轮胎价格和付款条件，请准备去年的销售数据。");
    visit(b, VISIT_B, KUMHO, 20460, "Price list sent; 轮胎价格已确认");
}

static void book_stop(struct book *b) {
    store_close(b->store);
    fixture_stop(&b->f);
}

TEST(a_row_is_got_with_what_is_derived_and_by_its_former_id) {
    struct book b;
    struct err err;
    struct row row;
    book_start(&b, STORE_LAPTOP);
    CHECK_OK(store_get(b.store, b.account, MERGED, &b.f.mem, &row, &err));
    CHECK(row.id == KUMHO && row.seq == 10 && !row.gone && !row.pending);
    CHECK_INT(row.values[entity_field_index(b.account, fixture_field(b.account, "last_visit_on"))].number, 20460);
    CHECK_INT(row.values[entity_field_index(b.account, fixture_field(b.account, "open_opportunities"))].number, 0);
    CHECK_STATUS(store_get(b.store, b.account, HIDDEN, &b.f.mem, &row, &err), ST_NOT_FOUND);
    CHECK_STATUS(store_get(b.store, b.account, 999, &b.f.mem, &row, &err), ST_NOT_FOUND);
    CHECK_OK(db_exec(store_db(b.store), "UPDATE r_account SET _gone = 2, _seq = -4 WHERE id = 103", &err));
    CHECK_OK(store_get(b.store, b.account, ACME, &b.f.mem, &row, &err));
    CHECK(row.gone && row.pending && row.seq == 0);
    book_stop(&b);
}

TEST(an_id_leads_to_its_entity) {
    struct book b;
    struct err err;
    const struct entity *e;
    int64_t id;
    book_start(&b, STORE_LAPTOP);
    CHECK_OK(store_locate(b.store, VISIT_A, &e, &id, &err));
    CHECK(e == b.visit && id == VISIT_A);
    CHECK_OK(store_locate(b.store, MERGED, &e, &id, &err));
    CHECK(e == b.account && id == KUMHO);
    CHECK_OK(store_locate(b.store, 999, &e, &id, &err));
    CHECK(!e);
    book_stop(&b);
}

TEST(a_row_is_known_by_what_people_call_it) {
    static const struct {
        const char *name, *entity, *typed;
        enum status status;
        int64_t id;
    } ROWS[] = {
        {"number", "account", "101", ST_OK, KUMHO},
        {"blanks around", "account", "  101 ", ST_OK, KUMHO},
        {"former id", "account", "150", ST_OK, KUMHO},
        {"whole title", "account", "锦湖轮胎", ST_OK, KUMHO},
        {"unique prefix", "account", "锦湖配", ST_OK, KUMHO_PARTS},
        {"prefix, other case", "account", "aCME", ST_OK, ACME},
        {"prefix of two", "account", "锦湖", ST_CONFLICT, 0},
        {"hidden", "account", "Hidden", ST_NOT_FOUND, 0},
        {"none", "account", "湖", ST_NOT_FOUND, 0},
        {"a sign of patterns", "account", "%", ST_NOT_FOUND, 0},
        {"empty", "account", "  ", ST_INVALID, 0},
        {"natural key that looks like an id", "territory", "1", ST_OK, EAST},
        {"id of another entity", "visit", "101", ST_NOT_FOUND, 0},
    };
    struct book b;
    struct err err;
    book_start(&b, STORE_LAPTOP);
    for EACH(row, ROWS) {
        int64_t id = 0;
        CHECK_ROW_INT(row, store_resolve(b.store, fixture_entity(&b.f, row->entity), slice_from(row->typed), &id, &err), row->status);
        CHECK_ROW_INT(row, id, row->id);
    }
    int64_t id;
    char text[ID_TEXT_BYTES];
    CHECK_STATUS(store_resolve(b.store, b.account, SLICE("锦湖"), &id, &err), ST_CONFLICT);
    CHECK(strstr(err.text[LANG_EN], "锦湖轮胎") && strstr(err.text[LANG_EN], "锦湖配件"));
    id_format(KUMHO, text);
    CHECK_OK(store_resolve(b.store, b.account, slice_from(text), &id, &err));
    CHECK_INT(id, KUMHO);
    book_stop(&b);
}

TEST(a_title_is_the_name_or_the_short_id) {
    struct book b;
    struct err err;
    struct slice title;
    char text[ID_TEXT_BYTES];
    book_start(&b, STORE_LAPTOP);
    CHECK_OK(store_title(b.store, b.account, MERGED, &b.f.mem, &title, &err));
    CHECK_SLICE(title, "锦湖轮胎");
    CHECK_OK(store_title(b.store, b.visit, VISIT_A, &b.f.mem, &title, &err));
    CHECK_SLICE(title, "2026-01-01");
    CHECK_OK(store_title(b.store, b.account, 999, &b.f.mem, &title, &err));
    id_format(999, text);
    CHECK_SLICES(title, slice_from(text));
    book_stop(&b);
}

/* ------------------------------------------------------------------ lists */

struct list {
    char ids[256];
};

static enum status add_id(void *ctx, const struct row *row, struct err *err) {
    struct list *list = ctx;
    size_t len = strlen(list->ids);
    (void)err;
    snprintf(list->ids + len, sizeof list->ids - len, "%s%lld", len ? " " : "", (long long)row->id);
    return ST_OK;
}

TEST(conditions_choose_rows) {
    enum { NUMBER, TEXT, NOTHING };
    static const struct {
        const char *name, *field;
        enum compare compare;
        int kind;
        int64_t number;
        const char *text, *ids;
    } ROWS[] = {
        {"enum is", "tier", COMPARE_EQ, NUMBER, 4, "", "101"},
        {"enum is not, empty included", "tier", COMPARE_NE, NUMBER, 4, "", "102 103"},
        {"is empty", "tier", COMPARE_EQ, NOTHING, 0, "", "103"},
        {"is not empty", "tier", COMPARE_NE, NOTHING, 0, "", "101 102"},
        {"less", "employees", COMPARE_LT, NUMBER, 3000, "", "103"},
        {"at most", "employees", COMPARE_LE, NUMBER, 3000, "", "101 103"},
        {"more", "employees", COMPARE_GT, NUMBER, 50, "", "101"},
        {"at least", "employees", COMPARE_GE, NUMBER, 50, "", "101 103"},
        {"reference", "territory", COMPARE_EQ, NUMBER, EAST, "", "101 102 103"},
        {"text is", "name", COMPARE_EQ, TEXT, 0, "锦湖轮胎", "101"},
        {"text contains", "name", COMPARE_CONTAINS, TEXT, 0, "锦湖", "101 102"},
        {"contains in any case", "name", COMPARE_CONTAINS, TEXT, 0, "ACME", "103"},
        {"a percent is a percent", "name", COMPARE_CONTAINS, TEXT, 0, "0%_c", "103"},
        {"and not any character", "name", COMPARE_CONTAINS, TEXT, 0, "1%0", ""},
        {"has an element", "tags", COMPARE_EQ, TEXT, 0, "轮胎", "101 102"},
        {"an element is whole", "tags", COMPARE_EQ, TEXT, 0, "轮", ""},
        {"has not an element", "tags", COMPARE_NE, TEXT, 0, "重点", "102 103"},
        {"an element contains", "tags", COMPARE_CONTAINS, TEXT, 0, "车", "103"},
        {"derived", "last_visit_on", COMPARE_GE, NUMBER, 20460, "", "101"},
        {"derived is empty", "last_visit_on", COMPARE_EQ, NOTHING, 0, "", "102 103"},
    };
    for (int kind = STORE_LAPTOP; kind <= STORE_SERVER; kind++) {
        struct book b;
        struct err err;
        book_start(&b, (enum store_kind)kind);
        for EACH(row, ROWS) {
            struct value v = row->kind == NUMBER ? value_int(row->number) : row->kind == TEXT ? text_value(row->text) : value_null();
            struct condition condition = {fixture_field(b.account, row->field), row->compare, v};
            struct query query = {.entity = b.account, .conditions = &condition, .condition_count = 1};
            struct list list = {""};
            int64_t count = -1, spaces = 0;
            CHECK_OK(store_list(b.store, &query, add_id, &list, &err));
            CHECK_ROW_TEXT(row, list.ids, row->ids);
            CHECK_OK(store_count(b.store, &query, &count, &err));
            for (const char *c = list.ids; *c; c++) spaces += *c == ' ';
            CHECK_ROW_INT(row, count, *list.ids ? spaces + 1 : 0);
        }
        book_stop(&b);
    }
}

TEST(lists_are_sorted_and_cut) {
    struct book b;
    struct err err;
    book_start(&b, STORE_LAPTOP);
    const struct {
        const char *name, *sort;
        bool descending;
        int64_t limit, offset;
        const char *ids;
    } ROWS[] = {
        {"by id", NULL, false, 0, 0, "101 102 103"},
        {"by id, down", NULL, true, 0, 0, "103 102 101"},
        {"by number, empty first", "employees", false, 0, 0, "102 103 101"},
        {"by number, down", "employees", true, 0, 0, "101 103 102"},
        {"by text", "name", false, 0, 0, "103 101 102"},
        {"by derived", "last_visit_on", true, 0, 0, "101 103 102"},
        {"first two", NULL, false, 2, 0, "101 102"},
        {"the next", NULL, false, 2, 2, "103"},
        {"all but one", NULL, false, 0, 1, "102 103"},
    };
    for EACH(row, ROWS) {
        struct query query = {.entity = b.account, .sort = row->sort ? fixture_field(b.account, row->sort) : NULL,
                              .descending = row->descending, .limit = row->limit, .offset = row->offset};
        struct list list = {""};
        CHECK_OK(store_list(b.store, &query, add_id, &list, &err));
        CHECK_ROW_TEXT(row, list.ids, row->ids);
    }
    book_stop(&b);
}

TEST(conditions_that_mean_nothing_are_refused) {
    struct book b;
    struct err err;
    book_start(&b, STORE_LAPTOP);
    const struct condition CONDITIONS[] = {
        {fixture_field(b.account, "tier"), COMPARE_LT, value_null()},
        {fixture_field(b.account, "tier"), COMPARE_EQ, text_value("strategic")},
        {fixture_field(b.account, "name"), COMPARE_EQ, value_int(1)},
        {fixture_field(b.account, "employees"), COMPARE_CONTAINS, value_int(1)},
        {fixture_field(b.account, "tags"), COMPARE_LT, text_value("a")},
    };
    for (size_t i = 0; i < ARRAY_COUNT(CONDITIONS); i++) {
        struct query query = {.entity = b.account, .conditions = &CONDITIONS[i], .condition_count = 1};
        int64_t count;
        CHECK_STATUS(store_count(b.store, &query, &count, &err), ST_INVALID);
    }
    book_stop(&b);
}

/* ------------------------------------------------------------------ finding */

static enum status add_found(void *ctx, const struct found *found, struct err *err) {
    struct buf *out = ctx;
    (void)err;
    buf_printf(out, "%s %.*s [%.*s]\n", found->entity->name, (int)found->title.len, (const char *)found->title.data,
               (int)found->passage.len, (const char *)found->passage.data);
    return ST_OK;
}

static const char *found(struct book *b, const char *typed) {
    struct buf out SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    struct err err;
    enum status status = store_find(b->store, slice_from(typed), 10, add_found, &out, &err);
    if (status != ST_OK) return status_name(status);
    return arena_printf(&b->f.mem, "%s", buf_text(&out));
}

TEST(what_is_found_shows_its_place) {
    struct book b;
    book_start(&b, STORE_LAPTOP);
    CHECK_TEXT(found(&b, "付款"),
               "visit 2026-01-01 […户抱怨交货太慢。 下周与王经理讨论新的轮胎价格和付款条件，请准备去年的销售数据。]\n");
    CHECK_TEXT(found(&b, "price 确认"), "visit 2026-01-07 [Price list sent; 轮胎价格已确认]\n");
    CHECK_TEXT(found(&b, "配"), "account 锦湖配件 [锦湖配件]\n");
    CHECK_TEXT(found(&b, "hidden"), "");
    CHECK_TEXT(found(&b, "!"), "INVALID");
    book_stop(&b);
}

/* ------------------------------------------------------------------ SQL, verify, backup */

static enum status add_cells(void *ctx, const char *const *names, const struct sql_cell *cells, size_t count, struct err *err) {
    struct buf *out = ctx;
    (void)err;
    for (size_t i = 0; i < count; i++) {
        if (i > 0) buf_put_byte(out, '|');
        if (!cells) buf_put_text(out, names[i]);
        else if (cells[i].is_null) buf_put_text(out, "-");
        else if (cells[i].is_text) buf_put_slice(out, cells[i].text);
        else if (cells[i].is_real) buf_printf(out, "%.2f", cells[i].real);
        else buf_printf(out, "%lld", (long long)cells[i].number);
    }
    buf_put_byte(out, '\n');
    return ST_OK;
}

TEST(people_read_with_sql_and_only_read) {
    struct book b;
    struct err err;
    struct buf out SCOPED(buf_free) = buf_new(BUF_MAX_LINE);
    book_start(&b, STORE_LAPTOP);
    CHECK_OK(store_sql(b.store, "SELECT name, tier, employees, 1.5 AS x FROM account ORDER BY id LIMIT 2", add_cells, &out, &err));
    CHECK_TEXT(buf_text(&out), "name|tier|employees|x\n锦湖轮胎|strategic|3000|1.50\n锦湖配件|ordinary|-|1.50\n");
    CHECK_STATUS(store_sql(b.store, "DELETE FROM r_account", add_cells, &out, &err), ST_DENIED);
    CHECK_STATUS(store_sql(b.store, "SELECT key_seed FROM secret_identity", add_cells, &out, &err), ST_DENIED);
    CHECK_STATUS(store_sql(b.store, "SELECT nothing FROM account", add_cells, &out, &err), ST_INVALID);
    book_stop(&b);
}

static const char *findings(struct book *b, int64_t *rows) {
    struct buf out SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    struct err err;
    CHECK_OK(store_verify(b->store, NULL, NULL, &out, rows, &err));
    return arena_printf(&b->f.mem, "%s", buf_text(&out));
}

TEST(verify_finds_what_does_not_fit) {
    struct book b;
    struct err err;
    int64_t rows;
    book_start(&b, STORE_LAPTOP);
    CHECK_TEXT(findings(&b, &rows), "");
    CHECK_INT(rows, 7);
    CHECK_OK(db_exec(store_db(b.store), "UPDATE r_account SET tier = 77 WHERE id = 101", &err));
    CHECK(strstr(findings(&b, &rows), "(101), tier: "));
    CHECK_OK(db_exec(store_db(b.store), "UPDATE r_account SET tier = NULL, parent = 201 WHERE id = 101", &err));
    CHECK(strstr(findings(&b, &rows), "parent: refers to a row of another kind"));
    CHECK_OK(db_exec(store_db(b.store), "UPDATE r_account SET parent = 999 WHERE id = 101", &err));
    CHECK_TEXT(findings(&b, &rows), "");                   /* out of sight is not missing */
    CHECK_OK(db_exec(store_db(b.store), "UPDATE r_account SET name = 'changed behind our back' WHERE id = 101", &err));
    CHECK_TEXT(findings(&b, &rows), "full text: the index does not fit the rows\n");
    book_stop(&b);
}

TEST(verify_tells_of_damage_and_opening_says_what_to_do) {
    struct book b;
    struct err err;
    book_start(&b, STORE_LAPTOP);
    for (int64_t i = 0; i < 2000; i++) visit(&b, 1000 + i, KUMHO, 20454, "一段文字，足够长，使表有许多页。");
    store_close(b.store);
    FILE *file = fopen(b.f.path, "r+");
    fseek(file, 0, SEEK_END);
    long pages = ftell(file) / 4096;
    for (long page = pages / 2; page < pages; page++) {
        fseek(file, page * 4096, SEEK_SET);
        for (int i = 0; i < 4096; i++) fputc(0x5A, file);
    }
    fclose(file);
    b.store = fixture_store(&b.f, STORE_LAPTOP);
    struct buf out SCOPED(buf_free) = buf_new(BUF_MAX_BATCH);
    int64_t rows;
    CHECK_OK(store_verify(b.store, NULL, NULL, &out, &rows, &err));
    CHECK(out.len > 0);
    store_close(b.store);
    file = fopen(b.f.path, "r+");
    for (int i = 0; i < 4096; i++) fputc(0x5A, file);
    fclose(file);
    struct store_config config = {.path = b.f.path, .kind = STORE_LAPTOP, .catalogue = &b.f.cat, .env = fixture_env()};
    CHECK_STATUS(store_open(&config, &b.store, &err), ST_DAMAGED);
    fixture_stop(&b.f);
}

TEST(a_backup_is_a_store) {
    struct book b;
    struct err err;
    struct store *copy = NULL;
    struct row row;
    char path[256];
    book_start(&b, STORE_LAPTOP);
    snprintf(path, sizeof path, "%s/copy.db", b.f.folder);
    CHECK_OK(store_backup(b.store, path, NULL, NULL, &err));
    struct store_config config = {.path = path, .kind = STORE_LAPTOP, .catalogue = &b.f.cat, .env = fixture_env()};
    CHECK_OK(store_open(&config, &copy, &err));
    CHECK_OK(store_get(copy, b.account, KUMHO, &b.f.mem, &row, &err));
    store_close(copy);
    book_stop(&b);
}

/* ------------------------------------------------------------------ 100,000 rows */

static enum status count_found(void *ctx, const struct found *hit, struct err *err) {
    (void)hit, (void)err;
    (*(int64_t *)ctx)++;
    return ST_OK;
}

#ifdef ARENA_DEBUG
enum { MANY = 5000 };                                      /* sanitizers make each row dear, and speed meaningless */
#else
enum { MANY = 100000 };
#endif

TEST(searching_a_hundred_thousand_rows_takes_less_than_a_tenth_of_a_second) {
    static const char *const TYPED[] = {"轮胎", "价格", "交", "price", "pr", "p", "客户 price", "没有这个", "客户抱怨交货"};
    struct book b;
    struct err err;
    book_start(&b, STORE_LAPTOP);
    CHECK_OK(db_begin(store_db(b.store), true, &err));
    for (int64_t i = 0; i < MANY; i++) {
        char text[256];
        snprintf(text, sizeof text, "客户抱怨交货太慢。下周讨论轮胎价格 price list %lld p%lld，请准备数据 w%lld。",
                 (long long)i, (long long)(i % 977), (long long)(i % 5003));
        visit(&b, 1000 + i, KUMHO, 20454, text);
    }
    CHECK_OK(db_commit(store_db(b.store), &err));
    for (size_t i = 0; i < ARRAY_COUNT(TYPED); i++) {
        double best = 10;
        int64_t count = 0;
        for (int round = 0; round < 3; round++) {
            count = 0;
            double start = seconds();
            CHECK_OK(store_find(b.store, slice_from(TYPED[i]), 50, count_found, &count, &err));
            double took = seconds() - start;
            if (took < best) best = took;
        }
        printf("%s: %lld hits in %.1f ms\n", TYPED[i], (long long)count, best * 1000);
#ifndef ARENA_DEBUG
        CHECK(best < 0.1);
#endif
    }
    book_stop(&b);
}
