/* A server that went back in time, as head office sees it: laptops and server in one process, the
 * server's file set back behind its back. */
#include <stdio.h>
#include <string.h>

#include "syncd/agent/bundle.h"
#include "syncd/platform/platform.h"
#include "syncd/server/bundle.h"
#include "syncd/server/org_private.h"
#include "syncd/server/scope.h"
#include "syncd/store/centre_compact.h"
#include "syncd/store/lives.h"
#include "syncd/store/orders.h"
#include "tests/unit/check.h"
#include "tests/world/world.h"

static struct world w;
static struct world_laptop *wang, *li;

static const struct entity *account(void) {
    return catalogue_entity(&w.catalogue, SLICE("account"));
}

static int64_t create(struct world_laptop *l, const char *name) {
    struct err err;
    struct field_edit edit = {entity_field(account(), SLICE("name")), FIELD_EDIT_SET,
                              value_text(slice_from(name))};
    uint32_t batch;
    int64_t id;
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_create(l->store, account(), &edit, 1, &id, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
    return id;
}

static void sync(struct world_laptop *l) {
    struct err err;
    struct agent_result result;
    CHECK_OK(world_sync(l, &result, &err));
}

static void start(void) {
    struct err err;
    CHECK_OK(world_open(23, &w, &err));
    CHECK_OK(world_laptop_add(&w, "wang", &err));
    CHECK_OK(world_laptop_add(&w, "li", &err));
    wang = world_laptop(&w, SLICE("wang"));
    li = world_laptop(&w, SLICE("li"));
    CHECK_OK(world_settle(&w, &err));
    sync(wang); /* what a round asks from is what its laptop has */
    sync(li);
    world_server_off(&w); /* and is written when the server stops */
    CHECK_OK(world_server_on(&w, &err));
}

static struct centre_head head(void) {
    struct err err;
    struct centre_head head;
    CHECK_OK(centre_head(org_centre(w.office), &head, &err));
    return head;
}

/* What is noted in memory only is written when the server stops. */
static struct centre_device device(const struct world_laptop *l) {
    struct err err;
    struct centre_device device;
    struct store_identity identity;
    world_server_off(&w);
    CHECK_OK(world_server_on(&w, &err));
    CHECK_OK(store_identity(l->store, &identity, &err));
    CHECK_OK(centre_device(org_centre(w.office), identity.device, &device, &err));
    return device;
}

static int64_t behind(const struct centre_device *d) {
    struct err err;
    int64_t entries, ms;
    CHECK_OK(centre_log_behind(org_centre(w.office), d->number, d->cursor, &entries, &ms, &err));
    CHECK(entries == 0 || ms > 0);
    return entries;
}

/* The book as it was when one account less was there; wang knows of it, li does not. */
static void go_back(void) {
    struct err err;
    CHECK_OK(world_backup(&w, false, &err));
    (void)create(wang, "远大集团");
    sync(wang);
    CHECK_OK(world_rollback(&w, &err));
}

TEST(how_far_a_laptop_is_behind_is_counted_in_changes) {
    struct err err;
    start();
    int64_t before = head().position.seq;
    go_back();
    sync(wang); /* the epoch's entry, and what was given back: the account, its creator's grant */
    struct centre_device d = device(li);
    CHECK_INT(d.cursor, before);
    CHECK_INT(behind(&d), head().position.seq - epoch_start(2) + 1);
    CHECK(behind(&d) >= 2 && behind(&d) < 10);
    CHECK_OK(world_settle(&w, &err));
    sync(li);
    d = device(li);
    CHECK_INT(behind(&d), 0);
    world_close(&w);
}

TEST(a_cursor_of_a_life_that_is_forgotten_is_not_noted) {
    struct err err;
    start();
    go_back();
    int64_t common = head().position.seq;
    struct centre_device d = device(wang);
    CHECK(d.cursor <= common);
    sync(wang);
    d = device(wang);
    CHECK(d.cursor <= common || d.cursor >= epoch_start(2));
    int64_t passed;
    CHECK_OK(centre_passed(org_centre(w.office), d.number, common + 1, &passed, &err));
    CHECK_INT(passed, common); /* a book of an earlier release may have noted one */
    CHECK_OK(centre_passed(org_centre(w.office), d.number, epoch_start(2), &passed, &err));
    CHECK_INT(passed, epoch_start(2));
    world_close(&w);
}

static void write(struct world_laptop *l, int64_t id, const char *field, enum field_edit_kind how,
                  struct value value) {
    struct err err;
    struct field_edit edit = {entity_field(account(), slice_from(field)), how, value};
    uint32_t batch;
    bool changed;
    CHECK_OK(store_begin(l->store, &err));
    CHECK_OK(store_edit(l->store, account(), id, &edit, 1, NULL, &changed, &err));
    CHECK_OK(store_commit(l->store, &batch, &err));
    CHECK(changed);
}

/* In a life that is forgotten wang was told that his tag came in, and takes it off again. His stick
 * brings the tag into the present life before he is there himself. */
TEST(what_came_on_a_stick_is_what_its_author_gives_back) {
    struct err err;
    struct bundle_made made;
    struct bundle_done done;
    struct slice file, answer;
    struct org_reader *reader;
    struct row row;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start();
    int64_t id = create(wang, "远大集团");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, true, &err));
    write(wang, id, "tags", FIELD_EDIT_ADD, value_text(SLICE("展会")));
    CHECK_OK(bundle_export(wang->sync_store, &wang->env, &mem, &file, &made, &err));
    sync(wang);
    write(wang, id, "tags", FIELD_EDIT_REMOVE, value_text(SLICE("展会")));
    CHECK_OK(world_rollback(&w, &err));
    (void)create(li, "恒信贸易"); /* it is another life */
    sync(li);
    CHECK_OK(world_office_reader(&w, &reader, &err));
    CHECK_OK(org_bundle(w.office, reader, "demo", file, &mem, &answer, &done, &err));
    CHECK(!done.older);
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(store_get(world_office_store(&w), account(), id, &mem, &row, &err));
    CHECK_INT(
        row.values[entity_field_index(account(), entity_field(account(), SLICE("tags")))].kind,
        VALUE_NULL);
    world_close(&w);
}

/* What wang writes after the server went back has the seq that li's points had before: li's note,
 * written in view of those points, has not seen wang's. */
TEST(a_seq_of_this_life_is_none_of_the_life_before) {
    struct err err;
    struct row row;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start();
    CHECK_OK(world_laptop_add(&w, "qian", &err));
    struct world_laptop *qian = world_laptop(&w, SLICE("qian"));
    int64_t id = create(wang, "远大集团");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, true, &err));
    write(li, id, "points", FIELD_EDIT_COUNT, value_int(2));
    sync(li);
    (void)create(qian, "恒信贸易");
    sync(qian);
    CHECK_OK(world_rollback(&w, &err));
    write(wang, id, "remarks", FIELD_EDIT_SET, value_text(SLICE("of wang")));
    sync(wang);
    sync(qian); /* begins the epoch */
    sync(wang);
    write(li, id, "remarks", FIELD_EDIT_SET, value_text(SLICE("of li")));
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(store_get(world_office_store(&w), account(), id, &mem, &row, &err));
    const struct field *remarks = entity_field(account(), SLICE("remarks"));
    struct slice text = row.values[entity_field_index(account(), remarks)].text;
    CHECK(memmem(text.data, text.len, "of wang", 7) && memmem(text.data, text.len, "of li", 5));
    world_close(&w);
}

/* Saved one after the other, offline: the contact names what only the batch before it brings. */
TEST(new_work_that_stands_on_new_work_does_not_wait_for_others) {
    struct err err;
    struct row row;
    uint32_t batch;
    int64_t id;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start();
    const struct entity *contact = catalogue_entity(&w.catalogue, SLICE("contact"));
    go_back();
    sync(wang); /* a recovery is under way; li is not here yet */
    int64_t owner = create(wang, "恒信贸易");
    struct field_edit edits[] = {
        {entity_field(contact, SLICE("account")), FIELD_EDIT_SET, value_int(owner)},
        {entity_field(contact, SLICE("name")), FIELD_EDIT_SET, value_text(SLICE("王芳"))}};
    CHECK_OK(store_begin(wang->store, &err));
    CHECK_OK(store_create(wang->store, contact, edits, 2, &id, &err));
    CHECK_OK(store_commit(wang->store, &batch, &err));
    sync(wang);
    CHECK_OK(store_get(world_office_store(&w), contact, id, &mem, &row, &err));
    world_close(&w);
}

static enum status count_entry(void *ctx, const struct quarantine_entry *entry, struct err *err) {
    (void)err;
    CHECK_INT(entry->reason, REASON_REVOKED);
    ++*(int *)ctx;
    return ST_OK;
}

/* Of li, revoked since, the server forgot an edit of a row that only wang can bring. */
static void revoke_amid_recovery(bool has_unsent, int entries) {
    struct err err;
    struct agent_result result;
    struct device_order order;
    int found = 0;
    SCOPED(arena_clear) struct arena mem = arena_new(ARENA_CAP_DEFAULT);
    start();
    CHECK_OK(world_backup(&w, true, &err));
    int64_t id = create(wang, "远大集团");
    CHECK_OK(world_settle(&w, &err));
    write(li, id, "tags", FIELD_EDIT_ADD, value_text(SLICE("展会")));
    sync(li);
    if (has_unsent) (void)create(li, "恒信贸易");
    CHECK_OK(world_rollback(&w, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), 2, true, &err));
    CHECK_STATUS(world_sync(li, &result, &err), ST_BUSY);
    CHECK(result.progress.rounds < 10);
    CHECK(result.retry_ms >= 1000); /* and is told when to come again */
    sync(wang);
    CHECK_STATUS(world_sync(li, &result, &err), ST_REVOKED);
    CHECK_INT(agent_order(li->agent, &order), ORDER_WIPE);
    CHECK_OK(centre_quarantine_list(org_centre(w.office), true, &mem, count_entry, &found, &err));
    CHECK_INT(found, entries);
    world_close(&w);
}

TEST(a_revoked_laptop_keeps_its_book_until_all_that_it_gives_back_is_taken) {
    revoke_amid_recovery(false, 1);
    revoke_amid_recovery(true, 2);
}

TEST(a_recovery_that_is_over_holds_no_tombstone) {
    struct err err;
    struct centre_horizon horizon;
    start();
    go_back();
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(centre_recovery_end(org_centre(w.office), &err));
    sync(wang); /* reads anew: its last request of this names cursor 0 */
    sync(li);
    struct centre_device d = device(wang);
    CHECK(d.cursor >= epoch_start(2));
    d = device(li);
    CHECK_OK(centre_horizon(org_centre(w.office), &horizon, &err));
    CHECK(horizon.seq >= epoch_start(2));
    CHECK_OK(world_settle(&w, &err));
    sync(wang);
    sync(li);
    d = device(li);
    CHECK_INT(behind(&d), 0);
    CHECK_OK(centre_horizon(org_centre(w.office), &horizon, &err));
    CHECK_INT(horizon.seq, head().position.seq);
    world_close(&w);
}

/* ------------------------------------------------------------------ orders that no restore undoes
 */

static const char *orders_file(void) {
    static char path[ORDERS_PATH_BYTES];
    char dir[WORLD_PATH_BYTES], book[WORLD_PATH_BYTES + 16];
    struct err err;
    world_server_dir(&w, dir);
    (void)snprintf(book, sizeof book, "%s/demo.db", dir);
    CHECK_OK(orders_path(book, path, &err));
    CHECK(strstr(path, "/org/demo.revoked") != NULL);
    return path;
}

static struct slice orders_bytes(void) {
    struct err err;
    struct slice bytes;
    CHECK_OK(platform_read_file(orders_file(), ORDERS_BYTES_MAX, &w.mem, &bytes, &err));
    return bytes;
}

/* NULL: verify has nothing to say. */
static bool verify_says(const char *text) {
    SCOPED(buf_free) struct buf said = buf_new(BUF_MAX_LINE);
    struct err err;
    CHECK_OK(centre_orders_verify(org_centre(w.office), &said, &err));
    return text ? strstr(buf_text(&said), text) != NULL : said.len == 0;
}

static void reopen(void) {
    struct err err;
    world_server_off(&w);
    CHECK_OK(world_server_on(&w, &err));
}

TEST(a_laptop_that_was_revoked_stays_so_when_the_server_goes_back) {
    struct err err;
    struct agent_result result;
    start();
    struct centre_device d = device(li), other = device(wang);
    CHECK_OK(world_backup(&w, false, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, false, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), other.number, true, &err));
    d = device(li);
    CHECK_OK(world_rollback(&w, &err));
    struct centre_device now = device(li);
    CHECK(now.revoked && !now.wipe);
    CHECK_INT(now.revoked_ms, d.revoked_ms); /* the same order, so that it is obeyed once */
    CHECK(device(wang).wipe);
    CHECK_INT(world_sync(li, &result, &err), ST_REVOKED);
    world_close(&w);
}

TEST(a_user_who_was_deactivated_stays_so_until_head_office_says_otherwise) {
    struct err err;
    struct agent_result result;
    start();
    struct centre_device d = device(li);
    CHECK_OK(world_backup(&w, false, &err));
    CHECK_OK(centre_user_activate(org_centre(w.office), d.user, false, &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK(!device(li).user_active);
    CHECK_INT(world_sync(li, &result, &err), ST_DENIED);
    CHECK_OK(centre_user_activate(org_centre(w.office), d.user, true, &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK(device(li).user_active);
    sync(li);
    world_close(&w);
}

TEST(orders_name_a_laptop_by_its_key_and_are_written_down_once) {
    struct err err;
    start();
    struct centre_device d = device(li);
    CHECK(!platform_exists(orders_file())); /* nothing was ordered */
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, false, &err));
    size_t len = orders_bytes().len;
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, false, &err));
    reopen();
    CHECK_INT(orders_bytes().len, len);
    CHECK(verify_says(NULL));
    CHECK_OK(platform_remove(orders_file(), &err)); /* what the book knows is written again */
    reopen();
    CHECK_INT(orders_bytes().len, len);
    world_close(&w);
}

TEST(a_line_that_is_damaged_or_of_another_key_orders_nothing) {
    SCOPED(buf_free) struct buf text = buf_new(BUF_MAX_LINE);
    struct err err;
    start();
    struct centre_device d = device(li);
    CHECK_OK(world_backup(&w, false, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, false, &err));
    struct slice bytes = orders_bytes();
    world_server_off(&w);
    buf_put_slice(&text, bytes);
    text.data[text.len - 4] ^= 1; /* a digit of the sum */
    buf_put_text(&text, "device x\nuser 1 2\n\ndevice 1 0 0 zz 0011223344556677");
    CHECK_OK(platform_write_file_private(orders_file(), buf_slice(&text), &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK(!device(li).revoked);
    CHECK(verify_says("4 lines"));
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, true, &err)); /* behind them */
    CHECK_OK(world_rollback(&w, &err));
    CHECK(device(li).wipe);
    world_close(&w);
}

TEST(verify_names_an_order_that_the_book_does_not_obey) {
    struct err err;
    start();
    struct centre_device d = device(li);
    CHECK_OK(world_backup(&w, false, &err));
    CHECK_OK(centre_device_revoke(org_centre(w.office), d.number, false, &err));
    struct slice bytes = orders_bytes();
    CHECK_OK(platform_remove(orders_file(), &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK(!device(li).revoked);
    CHECK_OK(platform_write_file_private(orders_file(), bytes, &err));
    CHECK(verify_says("was revoked"));
    reopen();
    CHECK(device(li).revoked);
    CHECK(verify_says(NULL));
    world_close(&w);
}

/* ------------------------------------------------------------------ rows as facts */

static const struct field *name_field(void) {
    return entity_field(account(), SLICE("name"));
}

static int64_t office_set(int64_t id, const char *name) {
    struct err err;
    struct receipt receipt;
    struct field_edit edit = {name_field(), FIELD_EDIT_SET, value_text(slice_from(name))};
    int64_t made;
    CHECK_OK(world_office_save(&w, account(), id, &edit, 1, &receipt, &made, &err));
    return id ? id : made;
}

static void office_is(int64_t id, const char *name) {
    struct err err;
    struct centre_row row;
    bool found;
    CHECK_OK(centre_row_read(org_centre(w.office), account(), id, &w.mem, &row, &found, &err));
    CHECK(found && !row.dead);
    CHECK(slice_equal(row.values[entity_field_index(account(), name_field())].text,
                      slice_from(name)));
}

struct facts_seen {
    size_t count;
    enum fact_state last;
};

static enum status see_fact(void *ctx, const struct fact_line *line, struct err *err) {
    struct facts_seen *seen = ctx;
    (void)err;
    seen->count++;
    seen->last = line->state;
    return ST_OK;
}

static struct facts_seen facts(void) {
    struct err err;
    struct facts_seen seen = {0};
    CHECK_OK(org_facts(org_centre(w.office), 0, see_fact, &seen, &err));
    return seen;
}

TEST(what_head_office_did_is_told_by_who_had_heard_of_it) {
    struct err err;
    int64_t taken, left;
    start();
    int64_t old = office_set(0, "before");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, false, &err));
    (void)office_set(old, "after");
    int64_t young = office_set(0, "young");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK_OK(world_settle(&w, &err));
    office_is(old, "before"); /* a claim changes nothing */
    CHECK_INT(facts().count, 2);
    CHECK_OK(org_facts_take(w.office, 0, &taken, &left, &err));
    CHECK_INT(taken, 2);
    CHECK_INT(left, 0);
    office_is(old, "after");
    office_is(young, "young"); /* with its old id */
    CHECK_OK(centre_recovery_end(org_centre(w.office), &err));
    CHECK_OK(world_settle(&w, &err));
    SCOPED(buf_free) struct buf difference = buf_new(BUF_MAX_LINE);
    CHECK_OK(world_compare(&w, &difference, &err));
    CHECK_INT(difference.len, 0);
    world_close(&w);
}

/* Where people see what they are granted, who may see a contact is known with its account. */
TEST(a_fact_of_a_row_whose_owner_is_not_here_waits_for_it) {
    struct err err;
    struct receipt receipt;
    int64_t owner = 0, id = 0, taken, left;
    start();
    const struct entity *contact = catalogue_entity(&w.catalogue, SLICE("contact"));
    struct field_edit head[] = {
        {entity_field(account(), SLICE("name")), FIELD_EDIT_SET, value_text(SLICE("young"))},
        {entity_field(account(), SLICE("owner")), FIELD_EDIT_SET, value_int(wang->employee)}};
    CHECK_OK(org_scope_set(w.office, true, &err));
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, false, &err));
    CHECK_OK(world_office_save(&w, account(), 0, head, 2, &receipt, &owner, &err));
    struct field_edit below[] = {
        {entity_field(contact, SLICE("account")), FIELD_EDIT_SET, value_int(owner)},
        {entity_field(contact, SLICE("name")), FIELD_EDIT_SET, value_text(SLICE("王芳"))}};
    CHECK_OK(world_office_save(&w, contact, 0, below, 2, &receipt, &id, &err));
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_rollback(&w, &err));
    CHECK_OK(world_settle(&w, &err));
    CHECK_INT(facts().count, 2);
    CHECK_INT(facts().last, FACT_WAITS);
    CHECK_OK(org_facts_take(w.office, 0, &taken, &left, &err));
    CHECK_INT(taken, 2);
    CHECK_INT(left, 0);
    world_close(&w);
}

TEST(a_fact_touches_nothing_that_is_newer) {
    struct err err;
    int64_t taken, left;
    start();
    int64_t id = office_set(0, "before");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_backup(&w, false, &err));
    (void)office_set(id, "forgotten");
    CHECK_OK(world_settle(&w, &err));
    CHECK_OK(world_rollback(&w, &err));
    sync(wang); /* another epoch */
    (void)office_set(id, "of this life");
    CHECK_OK(world_settle(&w, &err));
    CHECK_INT(facts().count, 1);
    CHECK_INT(facts().last, FACT_NEWER);
    CHECK_OK(org_facts_take(w.office, 0, &taken, &left, &err));
    CHECK_INT(taken, 0);
    CHECK_INT(left, 1);
    office_is(id, "of this life");
    world_close(&w);
}

TEST(a_claim_of_a_laptop_is_kept_only_in_its_bounds) {
    struct err err;
    start();
    struct centre_parting parting = {
        .epoch = 2, .back = {.seq = 5}, .lost_from = 5, .start = epoch_start(2), .settled = true};
    struct value name = value_text(SLICE("lie"));
    struct edit edit = {.cell_tag = entity_cell_of(account(), name_field())->tag,
                        .values = &name,
                        .value_count = 1};
    struct change change = {.kind = CHANGE_EDIT,
                            .entity_tag = account()->tag,
                            .row = id_make(9, 1),
                            .edits = &edit,
                            .edit_count = 1};
    struct batch batch = {.changes = &change, .change_count = 1};
    struct round_request request = {.epoch = 2, .facts = &batch};
    uint32_t told = 0;
    struct centre_device d = device(wang);
    CHECK_OK(org_facts_put(org_centre(w.office), &d, &parting, &request, &told, &err));
    CHECK_INT(told, 0); /* there is no recovery */
    CHECK_OK(centre_recovery_begin(org_centre(w.office), &err));
    const int64_t outside[] = {0, 5, epoch_start(2), epoch_start(2) + 7};
    for (size_t i = 0; i < ARRAY_COUNT(outside); i++) {
        edit.base.seq = outside[i]; /* not of the branch that its laptop lost */
        CHECK_OK(org_facts_put(org_centre(w.office), &d, &parting, &request, &told, &err));
        CHECK_INT(facts().count, 0);
    }
    edit.base.seq = 6;
    CHECK_OK(org_facts_put(org_centre(w.office), &d, &parting, &request, &told, &err));
    CHECK_INT(facts().count, 1);
    CHECK_INT(facts().last, FACT_NEW);
    d = device(li); /* who says otherwise of the same seq disputes it: neither is taken by itself */
    name = value_text(SLICE("another"));
    CHECK_OK(org_facts_put(org_centre(w.office), &d, &parting, &request, &told, &err));
    CHECK_INT(facts().last, FACT_DISPUTED);
    CHECK_OK(centre_facts_drop(org_centre(w.office), d.number, 0, &err));
    CHECK_INT(facts().last, FACT_NEW);
    world_close(&w);
}
