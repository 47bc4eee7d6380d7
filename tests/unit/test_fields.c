/* Fields and values that head office adds at run time: laptops in one world with a server, and what
 * the stores keep. The real programs: tests/e2e/test_fields.py. */
#include <string.h>

#include "syncd/store/centre_added.h"
#include "syncd/store/db.h"
#include "syncd/store/lives.h"
#include "syncd/store/rows.h"
#include "tests/unit/check.h"
#include "tests/world/world.h"

enum { ACCOUNT = 4, ACCOUNT_COUNTRY_TAG = 32 };

struct fields {
    struct world world;
    struct world_laptop *a, *b;
    int64_t acme;
};
static struct err err;

#define LABELS .label = {SLICE("Label"), SLICE("名称")}

/* A whole number of accounts; its tag. */
static uint32_t add(struct fields *f, const char *name, uint32_t rule, int64_t max) {
    struct slice label = slice_from(rule == RULE_MAX ? "Most" : name);
    struct added_field field = {.entity = ACCOUNT,
                                .type = FIELD_INT,
                                .rule = rule,
                                .max = max,
                                .name = slice_from(name),
                                .label = {label, label}};
    CHECK_OK(centre_added_fields(org_centre(f->world.office), &field, 1, NULL, 0, false, &err));
    return field.tag;
}

static const struct entity *account_in(struct store *store) {
    CHECK_OK(store_refresh(store, &err));
    return catalogue_entity(store_catalogue(store), SLICE("account"));
}

static void set_up(struct fields *f) {
    struct receipt receipt;
    CHECK_OK(world_open(11, &f->world, &err));
    const struct entity *e = catalogue_entity(&f->world.catalogue, SLICE("account"));
    struct field_edit name = {entity_field(e, SLICE("name")), FIELD_EDIT_SET,
                              value_text(SLICE("Acme"))};
    CHECK_OK(world_office_save(&f->world, e, 0, &name, 1, &receipt, &f->acme, &err));
    CHECK_OK(world_laptop_add(&f->world, "A", &err));
    CHECK_OK(world_laptop_add(&f->world, "B", &err));
    f->a = &f->world.laptops[0];
    f->b = &f->world.laptops[1];
    CHECK_OK(world_settle(&f->world, &err));
}

static enum status save(struct store *store, const struct entity *e, int64_t id, const char *field,
                        struct value v) {
    struct field_edit edit = {entity_field(e, slice_from(field)), FIELD_EDIT_SET, v};
    bool changed;
    uint32_t batch;
    CHECK(edit.field != NULL);
    CHECK_OK(store_begin(store, &err));
    enum status status = store_edit(store, e, id, &edit, 1, NULL, &changed, &err);
    if (status == ST_OK) status = store_commit(store, &batch, &err);
    if (status != ST_OK) store_rollback(store);
    return status;
}

static void set(struct world_laptop *l, int64_t id, const char *field, int64_t v) {
    CHECK_INT(save(l->store, account_in(l->store), id, field, value_int(v)), ST_OK);
}

static int64_t number_in(struct fields *f, struct store *store, const char *field) {
    struct row row;
    const struct entity *e = account_in(store);
    CHECK_OK(store_get(store, e, f->acme, &f->world.mem, &row, &err));
    struct value v = row.values[entity_field_index(e, entity_field(e, slice_from(field)))];
    return v.kind == VALUE_INT ? v.number : -1;
}

static void at_rest(struct fields *f) {
    SCOPED(buf_free) struct buf difference = buf_new(BUF_MAX_MESSAGE);
    CHECK_OK(world_settle(&f->world, &err));
    CHECK_OK(world_compare(&f->world, &difference, &err));
    CHECK_TEXT(buf_text(&difference), "");
}

static void run_sql(struct world_laptop *l, const char *const *sql, size_t count) {
    world_laptop_off(l);
    struct db *db;
    char path[WORLD_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s/%s", l->dir, AGENT_STORE_FILE);
    CHECK_OK(db_open(path, 0, &db, &err));
    for (size_t i = 0; i < count; i++) CHECK_OK(db_exec(db, sql[i], &err));
    db_close(db);
    CHECK_OK(world_laptop_on(l, &err));
}

TEST(a_field_comes_with_the_news_and_moves_no_row) {
    static struct fields f;
    struct agent_result result;
    set_up(&f);
    uint32_t tag = add(&f, "fleet", RULE_COUNTER, 0);
    CHECK(tag >= FIELD_ADDED_FIRST);
    CHECK_OK(world_sync(f.a, &result, &err));
    CHECK_INT(result.progress.rows_received, 0);
    const struct entity *e = account_in(f.a->store);
    CHECK(entity_field_by_tag(e, tag) == entity_field(e, SLICE("fleet")));
    CHECK(entity_field(account_in(f.b->store), SLICE("fleet")) == NULL); /* it was not there */
    at_rest(&f);
    world_close(&f.world);
}

/* A book as the release before left it: it passed over the news, and kept the cell with the row. */
TEST(a_laptop_of_the_release_before_has_the_value_after_its_update) {
    static struct fields f;
    char sql[3][200];
    struct agent_result result;
    set_up(&f);
    uint32_t tag = add(&f, "fleet", RULE_LAST, 0);
    CHECK_OK(world_settle(&f.world, &err));
    set(f.a, f.acme, "fleet", 40);
    at_rest(&f);
    /* _more: the cell by its tag (a varint of 4 bytes), one value, a number, 40 in zigzag */
    (void)snprintf(sql[0], sizeof sql[0],
                   "UPDATE r_account SET _more = x'%02X%02X%02X%02X010150' WHERE id = %lld",
                   (tag & 127) | 128, (tag >> 7 & 127) | 128, (tag >> 14 & 127) | 128, tag >> 21,
                   (long long)f.acme);
    (void)snprintf(sql[1], sizeof sql[1], "ALTER TABLE r_account DROP COLUMN _%u", tag);
    const char *const before[] = {"DROP VIEW account",
                                  sql[0],
                                  sql[1],
                                  "DROP TABLE added_news",
                                  "DELETE FROM meta WHERE name LIKE 'added%'",
                                  "UPDATE meta SET value = 3 WHERE name = 'layout'"};
    run_sql(f.b, before, ARRAY_COUNT(before));
    CHECK(entity_field(account_in(f.b->store), SLICE("fleet")) == NULL);
    CHECK_OK(world_sync(f.b, &result, &err));
    CHECK_INT(result.progress.rows_received, 0); /* the news alone */
    CHECK_INT(number_in(&f, f.b->store, "fleet"), 40);
    set(f.b, f.acme, "fleet", 41);
    at_rest(&f);
    CHECK_INT(number_in(&f, f.a->store, "fleet"), 41);
    world_close(&f.world);
}

/* The person's program looked a field up; meanwhile the daemon brought another catalogue. */
TEST(a_save_with_an_older_catalogue_is_refused_and_works_once_more) {
    static struct fields f;
    set_up(&f);
    const struct entity *older = account_in(f.a->store);
    (void)add(&f, "fleet", RULE_LAST, 0);
    CHECK_OK(world_settle(&f.world, &err));
    CHECK_STATUS(save(f.a->store, older, f.acme, "website", value_text(SLICE("a.example"))),
                 ST_CONFLICT);
    CHECK_INT(save(f.a->store, account_in(f.a->store), f.acme, "website",
                   value_text(SLICE("a.example"))),
              ST_OK);
    at_rest(&f);
    world_close(&f.world);
}

TEST(limits_bind_edits_of_those_who_knew_them) {
    static struct fields f;
    set_up(&f);
    uint32_t tag = add(&f, "fleet", RULE_LAST, 100);
    CHECK_OK(world_settle(&f.world, &err));
    set(f.a, f.acme, "fleet", 90); /* under the old limit */
    struct added_field now = {.entity = ACCOUNT, .tag = tag, .type = FIELD_INT, .max = 50, LABELS};
    CHECK_OK(centre_added_change(org_centre(f.world.office), &now, false, &err));
    at_rest(&f);
    CHECK_INT(number_in(&f, world_office_store(&f.world), "fleet"), 90);
    CHECK_STATUS(save(f.b->store, account_in(f.b->store), f.acme, "fleet", value_int(51)),
                 ST_INVALID);
    set(f.b, f.acme, "fleet", 50);
    at_rest(&f);
    CHECK_INT(number_in(&f, f.a->store, "fleet"), 50);
    world_close(&f.world);
}

TEST(what_is_retired_is_kept_and_not_entered) {
    static struct fields f;
    set_up(&f);
    uint32_t tag = add(&f, "fleet", RULE_LAST, 0);
    CHECK_OK(world_settle(&f.world, &err));
    set(f.a, f.acme, "fleet", 7);
    CHECK_OK(world_settle(&f.world, &err));
    struct added_field now = {
        .entity = ACCOUNT, .tag = tag, .type = FIELD_INT, .flags = ADDITION_RETIRED, LABELS};
    CHECK_OK(centre_added_change(org_centre(f.world.office), &now, false, &err));
    at_rest(&f);
    CHECK_INT(number_in(&f, f.b->store, "fleet"), 7);
    CHECK_STATUS(save(f.b->store, account_in(f.b->store), f.acme, "fleet", value_int(8)),
                 ST_INVALID);
    CHECK_INT(save(f.b->store, account_in(f.b->store), f.acme, "fleet", value_null()), ST_OK);
    at_rest(&f);
    CHECK_INT(number_in(&f, f.a->store, "fleet"), -1);
    now.tag = tag + 1;
    CHECK_STATUS(centre_added_change(org_centre(f.world.office), &now, false, &err),
                 ST_NOT_FOUND);
    world_close(&f.world);
}

/* Nothing of a trial stays, neither in the file nor in the handle. */
TEST(a_trial_leaves_no_trace) {
    static struct fields f;
    struct added_value odd = {
        .entity = ACCOUNT, .field = 5, .name = SLICE("odd"), .label = {SLICE("Odd"), SLICE("奇")}};
    set_up(&f);
    struct centre *c = org_centre(f.world.office);
    struct centre_head before, after;
    CHECK_OK(centre_head(c, &before, &err));
    CHECK_OK(centre_added_value(c, &odd, true, &err));
    CHECK_OK(centre_head(c, &after, &err));
    CHECK(before.position.seq == after.position.seq && before.news_version == after.news_version);
    const struct field *kind = entity_field_by_tag(account_in(world_office_store(&f.world)), 5);
    CHECK(enum_by_number(kind->values, odd.number) == NULL);
    CHECK_OK(centre_added_value(c, &odd, false, &err));
    kind = entity_field_by_tag(account_in(world_office_store(&f.world)), 5);
    CHECK_TEXT(enum_by_number(kind->values, odd.number)->name, "odd");
    CHECK_STATUS(centre_added_value(c, &odd, false, &err), ST_CONFLICT);
    world_close(&f.world);
}

/* The server forgets the field, and adds another before it notices. A laptop brings the first back,
 * with the value; the two have other tags. */
TEST(a_server_that_went_back_gets_its_fields_from_the_laptops) {
    static struct fields f;
    set_up(&f);
    CHECK_OK(world_backup(&f.world, false, &err));
    uint32_t fleet = add(&f, "fleet", RULE_LAST, 0);
    CHECK_OK(world_settle(&f.world, &err));
    set(f.a, f.acme, "fleet", 12);
    CHECK_OK(world_settle(&f.world, &err));
    set(f.b, f.acme, "points", 3); /* not yet sent */
    f.world.now_ms += 5000;
    CHECK_OK(world_rollback(&f.world, &err));
    CHECK(entity_field(account_in(world_office_store(&f.world)), SLICE("fleet")) == NULL);
    uint32_t other = add(&f, "fleet", RULE_MAX, 9); /* by hand, since it was gone */
    CHECK(other > fleet);
    CHECK_OK(world_settle(&f.world, &err));
    CHECK_OK(centre_recovery_end(org_centre(f.world.office), &err));
    at_rest(&f);
    struct store *stores[] = {world_office_store(&f.world), f.a->store, f.b->store};
    for (size_t i = 0; i < ARRAY_COUNT(stores); i++) {
        const struct entity *e = account_in(stores[i]);
        CHECK_TEXT(entity_field_by_tag(e, fleet)->name, "fleet"); /* the lower tag has the name */
        CHECK_TEXT(entity_field_by_tag(e, other)->name, "fleet_2");
        CHECK_INT(entity_field_by_tag(e, fleet)->rule, RULE_LAST);
        CHECK_INT(number_in(&f, stores[i], "fleet"), 12);
        CHECK_INT(number_in(&f, stores[i], "fleet_2"), -1);
    }
    world_close(&f.world);
}

/* Who gives back a list that the org did not sign adds nothing. */
TEST(a_forged_list_is_refused) {
    static struct fields f;
    struct signed_additions *lists;
    size_t count;
    set_up(&f);
    struct centre *c = org_centre(f.world.office);
    (void)add(&f, "fleet", RULE_LAST, 0);
    CHECK_OK(centre_added_news(c, &f.world.mem, &lists, &count, &err));
    CHECK_INT(count, 1);
    CHECK_OK(centre_added_return(c, lists, 1, &err)); /* it knows all of it */
    lists[0].signature[5] ^= 1;
    CHECK_STATUS(centre_added_return(c, lists, 1, &err), ST_DENIED);
    world_close(&f.world);
}

/* Pages of a damaged book are gone: the fields are in the new one, before any sync. */
TEST(a_rescued_book_knows_the_fields) {
    static struct fields f;
    char path[WORLD_PATH_BYTES + 16], fresh[WORLD_PATH_BYTES + 16];
    struct store *store;
    int64_t batches, unreadable;
    set_up(&f);
    (void)add(&f, "fleet", RULE_LAST, 0);
    CHECK_OK(world_settle(&f.world, &err));
    set(f.a, f.acme, "fleet", 12);
    world_laptop_off(f.a);
    (void)snprintf(path, sizeof path, "%s/%s", f.a->dir, AGENT_STORE_FILE);
    (void)snprintf(fresh, sizeof fresh, "%s/fresh.db", f.a->dir);
    CHECK_OK(store_rescue(path, fresh, &f.world.catalogue, &f.a->env, &batches, &unreadable, &err));
    CHECK_INT(batches, 1);
    struct store_config config = {.path = fresh,
                                  .kind = STORE_LAPTOP,
                                  .catalogue = &f.world.catalogue,
                                  .env = &f.a->env};
    CHECK_OK(store_open(&config, &store, &err));
    CHECK(entity_field(account_in(store), SLICE("fleet")) != NULL);
    store_close(store);
    world_close(&f.world);
}

/* What an older release wrote by place stays in its place when a later one has more fields. */
TEST(an_image_of_a_row_keeps_added_fields_apart_from_those_of_later_releases) {
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    struct catalogue release, older, with_older, with_release;
    struct added_field fields[] = {{.entity = ACCOUNT,
                                    .tag = FIELD_ADDED_FIRST,
                                    .type = FIELD_INT,
                                    .name = SLICE("fleet"),
                                    LABELS}};
    struct additions added = {fields, 1, NULL, 0};
    struct value values[ENTITY_FIELDS_MAX] = {{0}}, *back;
    CHECK_OK(catalogue_release(&mem, &release, &err));
    CHECK_OK(catalogue_without(&release, ACCOUNT, ACCOUNT_COUNTRY_TAG, &mem, &older, &err));
    CHECK_OK(catalogue_add(&older, &added, &mem, &with_older, &err));
    CHECK_OK(catalogue_add(&release, &added, &mem, &with_release, &err));
    const struct entity *was = catalogue_entity_by_tag(&with_older, ACCOUNT);
    const struct entity *is = catalogue_entity_by_tag(&with_release, ACCOUNT);
    CHECK(was->field_count < is->field_count);
    values[0] = value_text(SLICE("Acme"));
    values[was->field_count - 1] = value_int(9);
    for (int trim = 0; trim < 2; trim++) {
        SCOPED(buf_free) struct buf bytes = buf_new(BUF_MAX_MESSAGE);
        rows_image_write(was, values, trim, &bytes);
        CHECK_OK(rows_image_read(is, buf_slice(&bytes), &mem, &back, &err));
        for (size_t i = 0; i < is->field_count; i++) {
            bool fleet = is->fields[i].tag == FIELD_ADDED_FIRST;
            CHECK(value_equal(back[i], i == 0 ? values[0] : fleet ? value_int(9) : value_null()));
        }
    }
}
